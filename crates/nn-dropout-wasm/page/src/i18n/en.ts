// Every text of the page in English. `ja.ts` has the same keys; the compiler sees to that.

/** What there is to say about the answer of a sweep. Scores are as the library shows them. */
export interface Findings {
    metric: string;
    /** Whether errors are known; if not, how many trainings of the best rate there were. */
    certain: boolean;
    trainings: number;
    chosen: Finding;
    best: Finding;
    /** The other rates that may be the best. */
    tied: number[];
    /** The rates that are known to help, if dropout helps but the chosen rate is not among them. */
    helpfulOthers: number[];
    /** Whether the chosen rate is the highest that was tried. */
    isHighest: boolean;
    /** All of it in English, from the library. */
    sentences: string[];
}

interface Finding {
    rate: number;
    validation: string;
    /** To no dropout; empty if that was not trained. */
    difference: string;
}

export const en = {
    title: 'What does this line do?',
    documentTitle: 'nn-dropout: what one line does',
    intro: 'One line in the definition of a network. While the network trains, it switches off units at random. This page shows what the line does, why it helps, and which p to take for your data.',
    privacy: 'Everything runs in your browser. Nothing leaves your machine.',
    skip: 'Skip to the content',
    navigation: 'Parts of this page',
    nav: { line: 'The line', zoo: 'Kinds', why: 'Why', where: 'Where', which: 'Which p?' },
    theme: 'Dark',
    languageLabel: 'Language',
    nextCall: 'Next call',
    play: 'Play',
    pause: 'Pause',
    failed: (error: string) => `That did not work: ${error}`,
    crashed: 'The training failed, or ran out of memory. Smaller layers or a smaller table may work.',
    noWorker: 'A part of this page could not be loaded. Reload the page.',
    bookAddress: './book/index.html',
    book: 'The book: a tutorial, guides, every layer with its formula, and the mask to the bit',
    footer: 'The page is part of nn-dropout, a dropout library in Rust. After the first visit it also works without a network.',

    line: {
        title: 'The line',
        lead: '`nn.Dropout(p)` sets each element of a tensor to 0 with probability p, independently of all others and anew in each call. It multiplies what is left by 1/(1 − p), so that the mean stays what it was. In eval mode it returns its input unchanged.',
        mode: 'Mode',
        training: 'training',
        eval: 'eval',
        masks: 'Masks from',
        ours: 'nn-dropout',
        seed: 'Seed',
        step: 'Call number',
        tensor: 'Tensor',
        four: '1 2 3 4',
        picture: 'picture',
        input: 'Its elements',
        inputHint: 'Numbers with spaces between them; a semicolon begins a new row.',
        badInput: (most: number) => `The tensor needs 1 to ${most} numbers, with the same number in each row.`,
        badSeed: 'The seed has to be a whole number from 0 to 18446744073709551615.',
        badStep: (most: number) => `The call number has to be a whole number from 0 to ${most}.`,
        cells: 'Each element before (small) and after (large). Dropped ones are hatched.',
        summary: (dropped: number, count: number, p: number) =>
            p === 1
                ? `All ${count} elements are dropped.`
                : `${dropped} of ${count} elements ${dropped === 1 ? 'is' : 'are'} dropped. The others are multiplied by 1/(1 − ${p}) = ${Number((1 / (1 - p)).toFixed(3))}.`,
        evalSummary: 'Eval mode: the output is the input.',
        callNumber: (step: number) => `call number ${step}`,
        meanTitle: 'On average, the input comes back',
        meanLead:
            'One call is a coin toss. The mean of many calls approaches the input, because of the factor 1/(1 − p).',
        barsNote: 'Bars: means. Lines: the input.',
        calls: (count: number) => `${count} calls`,
        again: 'Start again',
        bars: (mean: string, x: string) => `Means of the elements: ${mean}. Input: ${x}.`,
        meanSummary: (calls: number, furthest: string) =>
            `Mean of ${calls} ${calls === 1 ? 'call' : 'calls'}. Largest distance from the input: ${furthest}.`,
        pictureInput: 'input',
        pictureOutput: 'output of this call',
        pictureMean: (calls: number) => `mean of ${calls} ${calls === 1 ? 'call' : 'calls'}`,
    },

    torch: {
        title: 'What torch.manual_seed(42) really gives',
        text: 'The page that this project began with guessed what comes out for `[1, 2, 3, 4]` at p = 0.5. PyTorch prints something else: with this seed, nothing is dropped. PyTorch’s masks are drawn here bit for bit.',
        guessed: 'guessed',
        prints: 'PyTorch 2.15 prints, on the CPU',
        computed: 'computed here, just now',
        show: 'Show it above',
    },

    same: {
        title: 'The same bits everywhere',
        text: 'The project keeps a list of masks and outputs with their SHA-256 hashes. Every part of it has to give these: on CPUs, on GPUs, in Python, and in this page. You can check your browser too.',
        start: 'Check this browser',
        progress: (done: number, all: number) => `${done} of ${all} cases …`,
        result: (same: number, all: number, kernel: string) =>
            same === all
                ? `All ${all} cases give the same bits here (kernel: ${kernel}).`
                : `Only ${same} of ${all} cases give the same bits here (kernel: ${kernel}).`,
    },

    zoo: {
        title: 'Kinds of dropout, side by side',
        lead: 'The idea is always the same: something is dropped at random, and the rest makes up for it. The kinds differ in what goes together: elements, channels, squares, samples, words, time steps.',
        p: 'p, for all of them',
        call: (step: number) => `call number ${step}`,
        unscaled:
            'What is dropped has this colour, except in the first three pictures: there, a dropped red, green or blue is 0. What is kept is drawn without the factor 1/(1 − p), so that colours stay comparable.',
        share: (percent: number) => `${percent} % is dropped.`,
        moments: (mean: string, deviation: string) => `mean ${mean}, standard deviation ${deviation}`,
        others: (count: number, names: string[]) =>
            `The library has ${count} kinds. Not drawn here: ${names.join(', ')}.`,
        names: {
            dropout: 'Elements',
            dropout2d: 'Channels of pictures',
            dropBlock2d: 'Squares',
            dropPath: 'Samples',
            tokenDropout: 'Tokens',
            embeddingDropout: 'Words',
            elements: 'Elements of a sequence',
            locked: 'Features, at every step',
            dropout1d: 'Channels of signals',
            dropConnect: 'Weights',
            dropKey: 'Attention keys',
            heads: 'Attention heads',
            alphaDropout: 'Elements, for SELU',
            gaussianDropout: 'Noise that multiplies',
            gaussianNoise: 'Noise that adds',
            neftuneNoise: 'Noise for embeddings',
        },
        what: {
            dropout: 'Each number on its own: here the red, green and blue of each pixel.',
            dropout2d: 'Whole channels of each sample: a picture loses all its red, green or blue.',
            dropBlock2d: 'Squares of 5 × 5 in each channel, since neighbouring pixels carry the same information.',
            dropPath: 'Whole samples of a batch, at the end of a residual branch. Also called stochastic depth.',
            tokenDropout: 'Single tokens of a sequence, wherever they stand.',
            embeddingDropout: 'Words of the vocabulary: a dropped word is dropped wherever it occurs.',
            elements: 'Each number on its own. Time runs to the right, each row is a feature.',
            locked: 'The same features at every time step: one mask for the whole sequence. Also called variational dropout.',
            dropout1d: 'Whole channels of a signal.',
            dropConnect: 'Weights of a layer in place of its activations.',
            dropKey: 'Attention scores before the softmax. The weights of the remaining keys add up to 1 again.',
            heads: 'Whole heads: all attention weights of a head share one bit.',
            alphaDropout:
                'Elements get SELU’s lowest value in place of 0. Mean and variance stay what they were (line: input).',
            gaussianDropout:
                'Nothing is dropped. Each number is multiplied by noise with the variance of dropout, p/(1 − p).',
            gaussianNoise: 'Nothing is dropped. Noise with a standard deviation of p is added to each number.',
            neftuneNoise:
                'Nothing is dropped. Uniform noise is added to the embeddings of a language model while it is fine-tuned.',
        },
    },

    why: {
        title: 'Why it helps',
        lead: 'Two networks learn the same data, with the same initial weights and the same batches. One of them has dropout. There are few rows to train on, and a tenth of the labels of moons and circles are wrong. The network without dropout learns the wrong labels too, and its boundary becomes ragged.',
        data: 'Data',
        moons: 'two moons',
        circles: 'two circles',
        digits: 'digits',
        p: 'p of the right network',
        shown: 'Curves',
        accuracy: 'accuracy',
        loss: 'loss',
        uncertainty: 'Show where the sub-networks disagree (Monte Carlo dropout)',
        start: 'Train',
        goOn: 'Go on',
        once: 'Train once more',
        again: 'Start again',
        without: 'Without dropout',
        with: (p: number) => `With dropout, p = ${p}`,
        train: 'training',
        validation: 'validation',
        gap: 'gap',
        points: (value: string) => `${value} points`,
        epoch: 'epoch',
        accuracyAxis: 'accuracy, %',
        lossAxis: 'loss',
        loading: 'Loading …',
        begin: 'Press “Train”. Both networks then learn in step.',
        status: (epoch: number, epochs: number, without: string, drop: string) =>
            `Epoch ${epoch} of ${epochs}. Validation accuracy: ${without} % without dropout, ${drop} % with it.`,
        planeShown: (epoch: number) =>
            `What the network says about each point of the plane after ${epoch} epochs, with the rows of the table.`,
        digitsShown: (shown: number, misread: number | undefined) =>
            `${shown} validation digits` + (misread === undefined ? '.' : `, of which the network misreads ${misread}.`),
        curves: (title: string, train: string, validation: string, gap: string) =>
            `${title}: training ${train}, validation ${validation}, gap ${gap}.`,
        classA: 'class a',
        classB: 'class b',
        pointSizes: 'large: to train on, small: for validation',
        tooMuch: 'Try p = 0.9: with too much dropout the network cannot even learn what is right. It underfits.',
        veil: 'A grey veil, if you switch it on, lies where the sub-networks disagree: near the boundary, and where there are few rows.',
        veilDigits:
            'The digits are for validation. Those that the network misreads are marked, with what it reads. A grey veil, if you switch it on, lies over those on which the sub-networks disagree.',
        same: 'The same with the program',
        sameText:
            'The program `nn-dropout` trains the same network on the same table: same seed, same masks. Only the last decimals may differ, as processors add in different orders. Save the table and run this:',
        sameDigits:
            'The program `nn-dropout` has the digits too, and trains the same network: same seed, same masks. Only the last decimals may differ, as processors add in different orders. Run this:',
        save: 'Save the table',
    },

    which: {
        title: 'Which p for your data?',
        lead: 'Take a table of your own, with the names of the columns in the first row. For each rate, a few networks are trained here in your browser, with the same splits and initial weights. Then you get a p, and how sure that answer is.',
        drop: 'Drop a CSV or Parquet file here, or',
        choose: 'choose a file',
        private: 'The file is read by this page alone. It is sent nowhere.',
        orTry: 'No table at hand?',
        digits: 'Try the digits',
        moons: 'Try the two moons',
        chosen: (name: string, columns: number, encoding: string | undefined) =>
            `${name}: ${columns} ${columns === 1 ? 'column' : 'columns'}` + (encoding ? `, read as ${encoding}.` : '.'),
        reading: (name: string) => `Reading ${name} …`,
        chosenDigits: '1,797 handwritten digits of 8 × 8 pixels.',
        target: 'Column to predict',
        task: 'What it holds',
        classification: 'classes',
        regression: 'numbers',
        options: 'Options',
        rates: 'Rates to try',
        seeds: 'Seeds for each rate',
        epochs: 'Epochs',
        hidden: 'Sizes of the hidden layers',
        fraction: 'Share of rows to train on',
        badRates: (most: number, least: number) =>
            `Up to ${most} numbers from 0 to 1, with commas between them. What is not 0 has to be at least ${least}.`,
        badCount: (most: number) => `A whole number from 1 to ${most}.`,
        badHidden: (layers: number, units: number) =>
            `Up to ${layers} whole numbers from 1 to ${units}, with commas between them.`,
        badFraction: 'A number between 0 and 1.',
        start: 'Find p',
        opening: 'Reading …',
        stop: 'Stop',
        sameProgram: 'The program does the same, and faster:',
        progress: 'Trials that are finished',
        trials: (done: number, all: number, seconds: number | undefined) =>
            `${done} of ${all} trainings` +
            (seconds === undefined
                ? ''
                : `, about ${seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`} left`),
        soFar: (rate: number) => `So far: p = ${rate}`,
        take: (rate: number) => `Take p = ${rate}`,
        verdicts: {
            helps: 'Dropout helps on these data.',
            harms: 'Dropout hurts on these data.',
            unsure: 'These data cannot tell whether dropout helps.',
            none: 'Dropout does not measurably help on these data.',
            unknown: 'These trainings cannot say whether dropout helps.',
        },
        noScores: 'The trainings diverged, or the validation part has too few rows to be scored.',
        /** What the answer says beside the verdict, a sentence a line. */
        sentences: ({ sentences }: Findings) => sentences,
        column: (name: string) => name,
        mark: (mark: string) => mark.replace('<-', '←'),
        axis: (axis: string) => axis,
        table: 'All rates',
        chart: (axis: string, rate: number) =>
            `Training and validation (${axis}) against p, with p = ${rate} marked. The table below has the numbers.`,
        validationWithError: 'validation, ± one standard error',
        notes: 'What was read from the table',
        saveResults: 'Save results.csv',
        saveConfig: 'Save recommended.toml',
    },

    where: {
        title: 'Where the line stands',
        lead: 'In a network’s definition the line occurs several times, often with one `config.dropout` for all. Choose a number to see what is dropped there.',
        diagrams: {
            gpt: { title: 'Transformer block', text: 'As in GPT-2, where all four rates are 0.1.' },
            rnn: { title: 'Recurrent network', text: 'A language model of two LSTM layers, with the dropout of AWD-LSTM.' },
            cnn: { title: 'Convolutional network', text: 'With one of the residual blocks that a ResNet stacks.' },
        },
        labels: {
            tokens: 'tokens',
            embedding: 'embedding + position',
            norm: 'layer norm',
            scores: 'softmax(Q Kᵀ)',
            values: '× V, projection',
            mlp: 'MLP',
            words: 'words',
            table: 'embedding table',
            lstm: 'LSTM layer',
            nextStep: 'next step',
            decoder: 'decoder',
            nextWord: 'next word',
            image: 'image',
            conv: 'convolution, norm, ReLU',
            pool: 'global pooling',
            linear: 'linear layer',
        },
        places: {
            embedding: {
                title: 'After the embedding',
                text: 'Elements of the sum of token and position embeddings. It happens once, before the first block.',
            },
            attention: {
                title: 'The attention weights',
                text: 'Elements of the matrix after the softmax: a token does not see some of the others in this call. The rest no longer adds up to exactly 1.',
            },
            afterAttention: {
                title: 'Before the first residual',
                text: 'Elements of what attention adds to the residual stream. The stream itself is never dropped.',
            },
            afterMlp: {
                title: 'Before the second residual',
                text: 'Elements of what the MLP adds to the residual stream.',
            },
            vocabulary: {
                title: 'Words of the vocabulary',
                text: 'Rows of the embedding table. A dropped word is missing wherever it occurs in the batch.',
            },
            rnnInput: {
                title: 'The input, the same at every step',
                text: 'The same features at every time step. With a new mask at each step, the noise would add up along the sequence.',
            },
            recurrent: {
                title: 'The recurrent weights',
                text: 'Weights from hidden state to hidden state, once per call. All time steps share the mask, and the LSTM itself stays as fast as it is. Zoneout is another way: some units keep their previous state.',
            },
            between: {
                title: 'Between the layers',
                text: 'Features of the first layer’s output, the same at every time step. PyTorch’s `nn.LSTM` has a dropout here too, with a new mask at each time step.',
            },
            rnnOutput: {
                title: 'Before the decoder',
                text: 'Features of the last layer’s output, the same at every time step.',
            },
            channels: {
                title: 'Channels',
                text: 'Whole feature maps. Single elements would do little, as neighbouring pixels carry the same information.',
            },
            blocks: {
                title: 'Squares',
                text: 'Squares of the feature maps, so that the network has to look elsewhere too. p often grows in the course of the training.',
            },
            branch: {
                title: 'The residual branch',
                text: 'The whole branch, for some samples of the batch: they take the bypass. Deeper blocks often get a larger p.',
            },
            beforeLinear: {
                title: 'Before the last layer',
                text: 'Elements of the pooled features. This is where the classic dropout still is in most image networks.',
            },
        },
    },
};

export type Strings = typeof en;
