// ページのすべての文言（日本語）。キーは `en.ts` と同じ。

import type { Findings, Strings } from './en';

/** ライブラリの指標名。 */
const metrics: Record<string, string> = { accuracy: '正解率', R2: '決定係数R2' };

const rateList = (rates: number[]) => rates.map(rate => `p = ${rate}`).join('、');

/** 誤差がわかるときに言えること。 */
function comparisons({ chosen, best, tied, helpfulOthers, isHighest }: Findings): string[] {
    // ドロップアウトの効果が確認できていれば、より大きいpが選ばれることもある。
    const reason =
        chosen.rate < best.rate ? `より弱いp = ${chosen.rate}` : `効果が確認できているp = ${chosen.rate}`;
    return [
        ...(chosen.difference ? [`ドロップアウトなしとの差：${chosen.difference}（角括弧は95 %信頼区間）`] : []),
        ...(helpfulOthers.length > 0
            ? [`効果が確認できているのは${rateList(helpfulOthers)}です。選んだp = ${chosen.rate}の効果は偶然かもしれません。`]
            : []),
        ...(best.rate === chosen.rate
            ? []
            : [
                  `平均が最も良いのはp = ${best.rate}（${best.validation}）です。その差は1標準誤差以内なので、${reason}を選んでいます。`,
              ]),
        ...(tied.length > 0 ? [`このデータでは最良のpと区別できない値：${rateList(tied)}`] : []),
        ...(isHighest ? ['試した中で最大のpです。さらに大きい値のほうが良いかもしれません。'] : []),
    ];
}

export const ja: Strings = {
    title: 'この一行は何をしているのか',
    documentTitle: 'nn-dropout：ドロップアウトの一行を読み解く',
    intro: 'ネットワークの定義にある一行です。学習のあいだ、ユニットをランダムに無効化します。このページでは、この一行が何をするのか、なぜ効くのか、手元のデータにはどのpが合うのかがわかります。',
    privacy: '計算はすべてブラウザの中で行われます。データが外部に送信されることはありません。',
    skip: '本文へ移動',
    navigation: 'ページ内の各パート',
    nav: { line: '一行の動作', zoo: '種類', why: '効く理由', where: '使う場所', which: 'pの選び方' },
    theme: 'ダーク',
    languageLabel: '言語',
    nextCall: '次の呼び出し',
    play: '再生',
    pause: '一時停止',
    failed: error => `エラーが発生しました：${error}`,
    crashed: '学習に失敗したか、メモリが不足しました。層を小さくするか、表を小さくしてみてください。',
    noWorker: 'ページの一部を読み込めませんでした。再読み込みしてください。',
    bookAddress: './book/ja/tutorial.html',
    book: 'ドキュメント（チュートリアルは日本語、そのほかは英語）',
    footer: 'このページは、Rust製のドロップアウトライブラリnn-dropoutの一部です。一度開けば、オフラインでも使えます。',

    line: {
        title: 'この一行がしていること',
        lead: '`nn.Dropout(p)`は、テンソルの各要素を確率pで0にします。要素ごとに独立で、呼び出すたびに選び直します。残った要素は1/(1 − p)倍するので、期待値は変わりません。評価モードでは入力をそのまま返します。',
        mode: 'モード',
        training: '学習',
        eval: '評価',
        masks: 'マスクの生成方法',
        ours: 'nn-dropout',
        seed: '乱数シード',
        step: '呼び出し番号',
        tensor: 'テンソル',
        four: '1 2 3 4',
        picture: '画像',
        input: '要素',
        inputHint: '数値は空白で、行はセミコロンで区切ります。',
        badInput: most => `数値は1〜${most}個で、どの行も同じ個数になるように入力してください。`,
        badSeed: '乱数シードは0から18446744073709551615までの整数にしてください。',
        badStep: most => `呼び出し番号は0から${most}までの整数にしてください。`,
        cells: '各要素の入力（小）と出力（大）。斜線はドロップされた要素です。',
        summary: (dropped, count, p) =>
            p === 1
                ? `${count}個の要素がすべてドロップされました。`
                : `${count}個中${dropped}個の要素がドロップされました。残りは1/(1 − ${p}) = ${Number((1 / (1 - p)).toFixed(3))}倍されます。`,
        evalSummary: '評価モード：出力は入力と同じです。',
        callNumber: step => `呼び出し番号 ${step}`,
        meanTitle: '平均すると入力に戻る',
        meanLead:
            '1回の結果は偶然に左右されます。それでも1/(1 − p)倍しているので、何度も呼び出すと平均は入力に近づきます。',
        barsNote: '棒：平均、横線：入力',
        calls: count => `${count}回`,
        again: '最初から',
        bars: (mean, x) => `要素ごとの平均：${mean}。入力：${x}。`,
        meanSummary: (calls, furthest) => `${calls}回の平均。入力との差は最大で${furthest}です。`,
        pictureInput: '入力',
        pictureOutput: '今回の出力',
        pictureMean: calls => `${calls}回の平均`,
    },

    torch: {
        title: 'torch.manual_seed(42)の本当の結果',
        text: 'このプロジェクトの出発点となったページには、`[1, 2, 3, 4]`にp = 0.5を適用した結果の予想が載っていました。実際のPyTorchの出力は違います。このシードでは、どの要素もドロップされません。ここではPyTorchのマスクをビット単位で再現しています。',
        guessed: '元のページの予想',
        prints: 'PyTorch 2.15（CPU）の出力',
        computed: 'このページでの計算結果',
        show: '上で再現する',
    },

    same: {
        title: 'どこでも同じビット列',
        text: 'このプロジェクトには、マスクと出力のSHA-256ハッシュをまとめた一覧があります。CPUでもGPUでもPythonでも、そしてこのページでも、結果はこの一覧と一致しなければなりません。お使いのブラウザでも確かめられます。',
        start: 'このブラウザで確かめる',
        progress: (done, all) => `${all}件中${done}件を確認…`,
        result: (same, all, kernel) =>
            same === all
                ? `${all}件すべてが一致しました（カーネル：${kernel}）。`
                : `${all}件のうち一致したのは${same}件だけです（カーネル：${kernel}）。`,
    },

    zoo: {
        title: 'ドロップアウトの種類',
        lead: '考え方はどれも同じで、何かをランダムに落とし、残りで補います。違うのは、何をまとめて落とすかです。要素、チャネル、正方形の領域、サンプル、単語、時刻などがあります。',
        p: 'p（すべてに共通）',
        call: step => `呼び出し番号 ${step}`,
        unscaled:
            'この色の部分がドロップされています。ただし最初の3つの絵では、落とした赤・緑・青の値が0になります。色を比べやすいように、残った部分は1/(1 − p)倍する前の値で描いています。',
        share: percent => `${percent} %がドロップされています。`,
        moments: (mean, deviation) => `平均 ${mean}、標準偏差 ${deviation}`,
        others: (count, names) => `ライブラリには${count}種類あります。ここにないもの：${names.join('、')}。`,
        names: {
            dropout: '要素',
            dropout2d: '画像のチャネル',
            dropBlock2d: '正方形の領域',
            dropPath: 'サンプル',
            tokenDropout: 'トークン',
            embeddingDropout: '単語',
            elements: '系列の要素',
            locked: '全時刻で共通の特徴量',
            dropout1d: '信号のチャネル',
            dropConnect: '重み',
            dropKey: 'アテンションのキー',
            heads: 'アテンションヘッド',
            alphaDropout: 'SELU向け（要素ごと）',
            gaussianDropout: '乗法的なノイズ',
            gaussianNoise: '加法的なノイズ',
            neftuneNoise: '埋め込みへのノイズ',
        },
        what: {
            dropout: '数値を一つずつ落とします。ここでは各画素の赤・緑・青の値です。',
            dropout2d: 'サンプルごとに、チャネルを丸ごと落とします。画像から赤・緑・青のどれかが消えます。',
            dropBlock2d: 'チャネルごとに5 × 5の領域を落とします。隣り合う画素は似た情報を持つからです。',
            dropPath: '残差ブランチの最後で、バッチ内のサンプルを丸ごと落とします。Stochastic Depthとも呼ばれます。',
            tokenDropout: '系列のトークンを、位置ごとに落とします。',
            embeddingDropout: '語彙の単語を落とします。落とした単語は、どこに現れても消えます。',
            elements: '数値を一つずつ落とします。横軸が時刻、各行が特徴量です。',
            locked: '系列全体で同じマスクを使い、どの時刻でも同じ特徴量を落とします。変分ドロップアウトとも呼ばれます。',
            dropout1d: '信号のチャネルを丸ごと落とします。',
            dropConnect: '活性値ではなく、層の重みを落とします。',
            dropKey: 'ソフトマックスの前にスコアを落とします。残ったキーの重みの合計は1のままです。',
            heads: 'ヘッドを丸ごと落とします。同じヘッドの重みは、まとめて残るか、まとめて落ちるかのどちらかです。',
            alphaDropout: '0ではなくSELUの下限値に置き換えます。平均と分散は変わりません（線は入力の分布）。',
            gaussianDropout: '何も落とさず、平均1、分散p/(1 − p)（ドロップアウトと同じ）のノイズを掛けます。',
            gaussianNoise: '何も落とさず、標準偏差pのノイズを足します。',
            neftuneNoise: '何も落とさず、言語モデルのファインチューニング中に、埋め込みへ一様乱数を足します。',
        },
    },

    why: {
        title: 'なぜ効くのか',
        lead: '2つのネットワークに、同じデータを同じ初期重み、同じミニバッチで学習させます。違いは、片方にドロップアウトがあることだけです。学習データはわずかで、三日月と円ではラベルの1割が間違っています。ドロップアウトがないと、間違ったラベルまで覚えてしまい、決定境界がいびつになります。',
        data: 'データ',
        moons: '2つの三日月',
        circles: '2つの円',
        digits: '手書き数字',
        p: '右のネットワークのp',
        shown: '学習曲線',
        accuracy: '正解率',
        loss: '損失',
        uncertainty: '部分ネットワークの予測が割れる場所を表示（モンテカルロドロップアウト）',
        start: '学習を開始',
        goOn: '再開',
        once: 'もう一度学習',
        again: '最初から',
        without: 'ドロップアウトなし',
        with: p => `ドロップアウトあり（p = ${p}）`,
        train: '学習データ',
        validation: '検証データ',
        gap: '差',
        points: value => `${value} ポイント`,
        epoch: 'エポック',
        accuracyAxis: '正解率（%）',
        lossAxis: '損失',
        loading: '読み込み中…',
        begin: '「学習を開始」を押すと、2つのネットワークが並行して学習します。',
        status: (epoch, epochs, without, drop) =>
            `エポック ${epoch} / ${epochs}。検証データでの正解率は、ドロップアウトなしで${without} %、ありで${drop} %です。`,
        planeShown: epoch => `${epoch}エポック学習した後の、平面上の各点に対する予測と、表の各行。`,
        digitsShown: (shown, misread) =>
            `検証データの手書き数字${shown}枚。` + (misread === undefined ? '' : `ネットワークは${misread}枚を読み間違えています。`),
        curves: (title, train, validation, gap) =>
            `${title}：学習データ ${train}、検証データ ${validation}、差 ${gap}。`,
        classA: 'クラスa',
        classB: 'クラスb',
        pointSizes: '大きい点：学習データ、小さい点：検証データ',
        tooMuch:
            'pを0.9にしてみてください。ドロップアウトが強すぎると、正しい規則さえ学べなくなります（学習不足、underfitting）。',
        veil: '上のチェックを入れると、部分ネットワークの予測が割れている場所が灰色で表示されます。境界の近くや、データの少ない場所です。',
        veilDigits:
            '表示しているのは検証データの数字です。ネットワークが読み間違えた数字に印を付け、どう読んだかを添えています。上のチェックを入れると、部分ネットワークの予測が割れている数字ほど濃い灰色で表示されます。',
        same: 'コマンドラインで再現する',
        sameText:
            '`nn-dropout`コマンドは、同じデータ、同じシード、同じマスクで同じネットワークを学習します。加算の順序の違いにより、末尾の桁は異なることがあります。データを保存して、次のコマンドを実行してください。',
        sameDigits:
            '`nn-dropout`コマンドにも同じ手書き数字が組み込まれており、同じシード、同じマスクで同じネットワークを学習します。加算の順序の違いにより、末尾の桁は異なることがあります。次のコマンドを実行してください。',
        save: 'データを保存',
    },

    which: {
        title: 'pはいくつにすればよいのか',
        lead: 'お手元の表データ（1行目が列名）で確かめられます。候補のpごとに、データの分割と初期重みをそろえて、いくつかのネットワークをブラウザの中で学習させ、おすすめのpと、その結論がどれだけ確かなのかを示します。',
        drop: 'CSVまたはParquetファイルをここにドロップ、または',
        choose: 'ファイルを選択',
        private: 'ファイルを読むのはこのページだけです。どこにも送信されません。',
        orTry: '試すだけなら：',
        digits: '手書き数字で試す',
        moons: '2つの三日月で試す',
        chosen: (name, columns, encoding) => `${name}：${columns}列` + (encoding ? `（文字コード：${encoding}）` : ''),
        reading: name => `${name}を読み込み中…`,
        chosenDigits: '8 × 8画素の手書き数字、1,797枚',
        target: '予測する列',
        task: '列の内容',
        classification: 'クラス（分類）',
        regression: '数値（回帰）',
        options: '詳細設定',
        rates: '試すpの値',
        seeds: 'pごとのシード数',
        epochs: 'エポック数',
        hidden: '隠れ層のユニット数',
        fraction: '学習に使う行の割合',
        badRates: (most, least) =>
            `0〜1の数値をカンマで区切って、${most}個まで入力してください。0以外の値は${least}以上にしてください。`,
        badCount: most => `1〜${most}の整数を入力してください。`,
        badHidden: (layers, units) => `1〜${units}の整数をカンマで区切って、${layers}個まで入力してください。`,
        badFraction: '0より大きく1より小さい数値を入力してください。',
        start: 'pを探す',
        opening: '読み込み中…',
        stop: '中止',
        sameProgram: 'コマンドラインなら、同じ計算をもっと速く実行できます。',
        progress: '完了した学習',
        trials: (done, all, seconds) =>
            `学習 ${done} / ${all} 回` +
            (seconds === undefined
                ? ''
                : `（残り約${seconds < 90 ? `${seconds}秒` : `${Math.round(seconds / 60)}分`}）`),
        soFar: rate => `途中経過：p = ${rate}`,
        take: rate => `おすすめはp = ${rate}`,
        verdicts: {
            helps: 'このデータでは、ドロップアウトに効果があります。',
            harms: 'このデータでは、ドロップアウトは逆効果です。',
            unsure: 'このデータだけでは、ドロップアウトに効果があるともないとも言えません。',
            none: 'このデータでは、ドロップアウトの効果は確認できません。',
            unknown: 'ドロップアウトに効果があるかどうかは、これだけでは判断できません。',
        },
        noScores: '学習が発散したか、検証データの行数が少なすぎて、スコアを計算できませんでした。',
        sentences: findings => [
            `p = ${findings.chosen.rate}：検証データの${metrics[findings.metric] ?? findings.metric} ${findings.chosen.validation}`,
            ...(findings.certain
                ? comparisons(findings)
                : [
                      findings.trainings < 2
                          ? '1回の学習だけでは偶然との区別がつかないので、シードを増やしてください。'
                          : '検証データの行数が少なすぎて、どれだけ確かかを示せません。',
                  ]),
        ],
        column: name =>
            name
                .replace(/^training (.*)/, (_, metric: string) => `学習データの${metrics[metric] ?? metric}`)
                .replace(/^validation (.*)/, (_, metric: string) => `検証データの${metrics[metric] ?? metric}`)
                .replace(/^gap$/, '差')
                .replace(/^against no dropout$/, 'ドロップアウトなしとの差')
                .replace(/^trials$/, '学習回数'),
        mark: mark => ({ '<- chosen': '← 選択', best: '最良', 'may be best': '最良の可能性あり' })[mark] ?? mark,
        axis: axis => {
            const [metric, unit] = axis.split(', ');
            return (metrics[metric] ?? metric) + (unit ? `（${unit}）` : '');
        },
        table: 'すべての候補',
        chart: (axis, rate) =>
            `学習データと検証データでのスコア（${axis}）とpの関係。p = ${rate}に印があります。数値は下の表にあります。`,
        validationWithError: '検証データ（± 標準誤差）',
        notes: '読み込んだ表の内容',
        saveResults: 'results.csvを保存',
        saveConfig: 'recommended.tomlを保存',
    },

    where: {
        title: 'どこに置くのか',
        lead: 'この一行は、ネットワークの定義の中に何度も現れます。すべてに同じ`config.dropout`を使うこともよくあります。番号を選ぶと、そこで何がドロップされるのかが表示されます。',
        diagrams: {
            gpt: { title: 'Transformerブロック', text: 'GPT-2の構成です。4か所とも0.1になっています。' },
            rnn: { title: '再帰型ネットワーク', text: 'LSTM 2層の言語モデルに、AWD-LSTMのドロップアウトを入れたものです。' },
            cnn: { title: '畳み込みネットワーク', text: 'ResNetのような残差ブロックがあります。' },
        },
        labels: {
            tokens: 'トークン',
            embedding: '埋め込み + 位置',
            norm: 'LayerNorm',
            scores: 'softmax(Q Kᵀ)',
            values: '× V、射影',
            mlp: 'MLP',
            words: '単語',
            table: '埋め込み表',
            lstm: 'LSTM層',
            nextStep: '次の時刻へ',
            decoder: 'デコーダー',
            nextWord: '次の単語',
            image: '画像',
            conv: '畳み込み、正規化、ReLU',
            pool: '大域プーリング',
            linear: '全結合層',
        },
        places: {
            embedding: {
                title: '埋め込みの直後',
                text: 'トークン埋め込みと位置埋め込みの和の要素を落とします。最初のブロックの前に一度だけ行います。',
            },
            attention: {
                title: 'アテンションの重み',
                text: 'ソフトマックス後の行列の要素を落とします。各トークンは、その呼び出しでは一部のトークンを参照できません。残りの重みの合計は、ちょうど1にはなりません。',
            },
            afterAttention: {
                title: '1つ目の残差接続の前',
                text: 'アテンションが残差ストリームに足す値の要素を落とします。ストリーム自体は落としません。',
            },
            afterMlp: {
                title: '2つ目の残差接続の前',
                text: 'MLPが残差ストリームに足す値の要素を落とします。',
            },
            vocabulary: {
                title: '語彙の単語',
                text: '埋め込み表の行を落とします。落とした単語は、バッチのどこに現れても消えます。',
            },
            rnnInput: {
                title: '入力（全時刻で共通）',
                text: 'どの時刻でも同じ特徴量を落とします。時刻ごとに選び直すと、ノイズが系列に沿って積み重なってしまいます。',
            },
            recurrent: {
                title: '再帰の重み',
                text: '隠れ状態から隠れ状態への重みを、呼び出しごとに一度落とします。全時刻で同じマスクを使うので、LSTMの速度は変わりません。一部のユニットに前の状態を保たせるZoneoutという方法もあります。',
            },
            between: {
                title: '層と層の間',
                text: '1層目の出力の特徴量を、全時刻で共通に落とします。PyTorchの`nn.LSTM`でも同じ位置にドロップアウトを入れられますが、マスクは時刻ごとに変わります。',
            },
            rnnOutput: {
                title: 'デコーダーの前',
                text: '最後の層の出力の特徴量を、全時刻で共通に落とします。',
            },
            channels: {
                title: 'チャネル',
                text: '特徴マップを丸ごと落とします。隣り合う画素は似た情報を持つので、要素を一つずつ落としてもあまり効きません。',
            },
            blocks: {
                title: '正方形の領域',
                text: '特徴マップを正方形の領域ごとに落とし、ほかの場所にも注目させます。学習が進むにつれてpを大きくすることもよくあります。',
            },
            branch: {
                title: '残差ブランチ',
                text: 'バッチの一部のサンプルで、ブランチを丸ごと落とします。そのサンプルは迂回路だけを通ります。深いブロックほどpを大きくするのが一般的です。',
            },
            beforeLinear: {
                title: '最後の層の前',
                text: 'プーリング後の特徴量の要素を落とします。画像のネットワークで従来のドロップアウトが残っているのは、たいていここです。',
            },
        },
    },
};
