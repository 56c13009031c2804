import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, open, saved, shifts, test, watchShifts } from './page';
import type { Findings } from '../src/i18n/en';
import { ja } from '../src/i18n/ja';
import { forPage } from '../src/training/hints';
import type { Page } from '@playwright/test';

test.beforeEach(({ page }) => open(page));

/** A table in which a class follows from two numbers and a colour, with a few missing cells. */
function table(rows = 120): string {
    const lines = Array.from({ length: rows }, (_, i) => {
        const [weight, height] = [((i * 37) % 100) / 10, ((i * 53) % 90) / 10];
        const colour = ['red', 'green', 'blue'][i % 3];
        return `${weight},${i % 17 === 0 ? '' : height},${colour},${weight + height > 9 ? 'yes' : 'no'},${(2 * weight - height).toFixed(2)}`;
    });
    return `weight,height,colour,ripe,price\n${lines.join('\n')}\n`;
}

const choose = (page: Page, name: string, content: string | Buffer) =>
    page.locator('#which-file').setInputFiles({ name, mimeType: 'text/csv', buffer: Buffer.from(content) });

async function quick(page: Page, values: Record<string, string>): Promise<void> {
    const which = page.locator('#which');
    const options = which.locator('details');
    if ((await options.getAttribute('open')) === null) {
        await which.getByText('Options', { exact: true }).click();
    }
    for (const [label, value] of Object.entries(values)) {
        await which.getByLabel(label).fill(value);
    }
}

const small = {
    'Rates to try': '0, 0.3, 0.6',
    'Seeds for each rate': '2',
    Epochs: '4',
    'Sizes of the hidden layers': '16',
};

test('a table of one’s own: choose, sweep, read, save', async ({ page }) => {
    const which = page.locator('#which');
    await choose(page, 'fruit and more.csv', table());
    await expect(which.locator('.chosen')).toHaveText('fruit and more.csv: 5 columns.', { timeout: 30_000 });
    const target = which.getByLabel('Column to predict');
    await expect(target).toHaveValue('price'); // the last one
    await target.selectOption('ripe');
    await quick(page, small);
    await expect(which.locator('.program')).toHaveText(
        "nn-dropout sweep --data 'fruit and more.csv' --target ripe --train-fraction 0.7 --hidden 16 --epochs 4 --rates 0,0.3,0.6 --seeds 2",
    );
    await which.getByRole('button', { name: 'Find p' }).click();
    await expect(which.locator('.headline')).toHaveText(/^Take p = 0(\.[36])?$/, { timeout: 60_000 });
    await expect(which.locator('.outcome .progress')).toContainText('6 of 6 trainings');
    await expect(which.locator('table tbody tr')).toHaveCount(3);
    await expect(which.locator('tr.is-chosen')).toHaveCount(1);
    await expect(which.locator('.notes')).toContainText('colour');
    await expect(which.getByRole('img', { name: /^Training and validation \(accuracy/ })).toBeVisible();
    await expect(which.locator('.sentences p').first()).toContainText('validation accuracy');

    const results = await saved(page, which.getByRole('button', { name: 'Save results.csv' }));
    expect(results.name).toBe('results.csv');
    expect(results.text.trimEnd().split('\n')).toHaveLength(7);
    const config = await saved(page, which.getByRole('button', { name: 'Save recommended.toml' }));
    expect(config.name).toBe('recommended.toml');
    expect(config.text).toContain('dropout = ');
});

test('nothing moves while the networks train', async ({ page }) => {
    await watchShifts(page);
    await open(page);
    await page.locator('#why').getByRole('button', { name: 'Train' }).click();
    await expect(page.locator('#why').getByRole('status')).toContainText(/Epoch \d\d/, { timeout: 60_000 });
    await page.locator('#why').getByRole('button', { name: 'Pause' }).click();
    const which = page.locator('#which');
    await which.getByRole('button', { name: 'Try the two moons' }).click();
    await quick(page, { Epochs: '20' });
    await which.getByRole('button', { name: 'Find p' }).click();
    await which.locator('.answer').scrollIntoViewIfNeeded();
    await expect(which.locator('.headline')).toHaveText(/^Take p/, { timeout: 60_000 });
    expect(await shifts(page)).toEqual([]);
});

test('numbers to predict', async ({ page }) => {
    const which = page.locator('#which');
    await choose(page, 'fruit.csv', table());
    await which.getByRole('radio', { name: 'numbers' }).check({ timeout: 30_000 });
    await quick(page, { ...small, Epochs: '20' });
    await which.getByRole('button', { name: 'Find p' }).click();
    await expect(which.locator('.headline')).toHaveText(/^Take p/, { timeout: 60_000 });
    await expect(which.getByRole('img', { name: /R2/ })).toBeVisible();
});

test('a file can be dropped, also beside its place', async ({ page }) => {
    const drop = (selector: string) =>
        page.locator(selector).evaluate((element, text) => {
            const files = new DataTransfer();
            files.items.add(new File([text], 'dropped.csv'));
            for (const type of ['dragover', 'drop']) {
                element.dispatchEvent(new DragEvent(type, { dataTransfer: files, bubbles: true, cancelable: true }));
            }
        }, table());
    await drop('#which h2');
    await expect(page.locator('#which .chosen')).toBeEmpty();
    await drop('#which .drop');
    await expect(page.locator('#which .chosen')).toHaveText('dropped.csv: 5 columns.', { timeout: 30_000 });
});

test('a Parquet file', async ({ page }) => {
    const which = page.locator('#which');
    const file = new URL('../../../nn-dropout-cli/tests/fixtures/animals-snappy.parquet', import.meta.url);
    await choose(page, 'animals.parquet', readFileSync(file));
    await expect(which.locator('.chosen')).toHaveText(/^animals\.parquet: \d columns\.$/, { timeout: 30_000 });
    await which.getByLabel('Column to predict').selectOption('kind');
    await quick(page, small);
    await which.getByRole('button', { name: 'Find p' }).click();
    await expect(which.locator('.headline')).toHaveText(/^Take p/, { timeout: 60_000 });
});

test('a file in Shift_JIS, as spreadsheets in Japan write it', async ({ page }) => {
    await open(page, '?lang=ja');
    const which = page.locator('#which');
    const header = [0x8f, 0x64, 0x82, 0xb3, 0x2c, 0x8e, 0xed, 0x97, 0xde, 0x0a]; // 重さ,種類
    const rows = Array.from({ length: 40 }, (_, i) => `${i},${i % 4 < 2 ? 'a' : 'b'}\n`).join('');
    await choose(page, 'fruit.csv', Buffer.concat([Buffer.from(header), Buffer.from(rows)]));
    await expect(which.locator('.chosen')).toHaveText('fruit.csv：2列（文字コード：shift_jis）', { timeout: 30_000 });
    await expect(which.getByLabel('予測する列')).toHaveValue('種類');
    await expect(which.locator('.program')).toContainText("--encoding shift_jis --target '種類'");
    await which.getByRole('button', { name: 'pを探す' }).click();
    await expect(which.locator('.headline')).toHaveText(/^おすすめはp = /, { timeout: 60_000 });
});

test('a bad file gives one clear line, and another file is welcome', async ({ page }) => {
    const which = page.locator('#which');
    const alert = which.locator('#which-problem');
    const begin = () => which.getByRole('button', { name: 'Find p' }).click();

    await choose(page, 'empty.csv', '');
    await expect(alert).toContainText('empty.csv', { timeout: 30_000 });
    await choose(page, 'picture.csv', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13]));
    await expect(alert).toContainText('picture.csv', { timeout: 30_000 });

    await choose(page, 'ragged.csv', 'a,b,c\n1,2,x\n3,y\n');
    await expect(which.locator('.chosen')).toHaveText('ragged.csv: 3 columns.', { timeout: 30_000 });
    await expect(alert).toBeEmpty();
    await begin();
    await expect(alert).toContainText('ragged.csv', { timeout: 30_000 });
    expect((await alert.textContent())!.split('\n')).toHaveLength(1);

    await choose(page, 'small.csv', 'a,b\n1,x\n');
    await begin();
    await expect(alert).toContainText('small.csv', { timeout: 30_000 });

    await choose(page, 'good.csv', table());
    await expect(alert).toBeEmpty();
    await quick(page, { ...small, 'Rates to try': '0, 2' });
    await expect(which.getByRole('button', { name: 'Find p' })).toBeDisabled();
    await expect(which.getByLabel('Rates to try')).toHaveAttribute('aria-invalid', 'true');
});

test('a sweep can be stopped, and says what is known so far', async ({ page }) => {
    const which = page.locator('#which');
    await which.getByRole('button', { name: 'Try the two moons' }).click();
    await quick(page, { Epochs: '100' });
    // By the keyboard: the focus stays with the buttons.
    await which.getByRole('button', { name: 'Find p' }).focus();
    await page.keyboard.press('Enter');
    await expect(which.getByRole('button', { name: 'Stop' })).toBeFocused();
    await expect(which.locator('.headline')).toHaveText(/^So far: p = /, { timeout: 60_000 });
    await page.keyboard.press('Enter');
    await expect(which.getByRole('button', { name: 'Find p' })).toBeFocused({ timeout: 60_000 });
    // It is not the answer to all of them.
    await expect(which.getByRole('button', { name: 'Save results.csv' })).toBeVisible();
    await expect(which.locator('.headline')).toHaveText(/^So far: p = /);
    await expect(which.locator('.outcome .progress')).toContainText(/ of 45 trainings$/);
    // Another table takes the place of this one.
    await which.getByRole('button', { name: 'Try the digits' }).click();
    await expect(which.locator('.outcome')).toBeHidden();
    await expect(which.locator('.program')).toHaveText(
        'nn-dropout sweep --train-fraction 0.25 --hidden 512,512 --epochs 30 --rates 0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8 --seeds 5',
    );
});

test('a long training and the opening can be stopped at once', async ({ page }) => {
    const which = page.locator('#which');
    const [start, stop] = ['Find p', 'Stop'].map(name => which.getByRole('button', { name }));
    await which.getByRole('button', { name: 'Try the two moons' }).click();
    await quick(page, { Epochs: '10000' });
    await start.click();
    await stop.click();
    await expect(start).toBeVisible({ timeout: 1000 });
    await expect(which.locator('.outcome')).toBeHidden();
    await start.click();
    await expect(which.locator('.outcome .progress')).toContainText('0 of 45 trainings', { timeout: 30_000 });
    // An option that changes now is for the next sweep.
    await quick(page, { Epochs: '9999' });
    await expect(start).toBeDisabled();
    await stop.click();
    await expect(start).toBeEnabled({ timeout: 1000 });
    await expect(which.locator('.headline')).toBeEmpty();
});

test('what is stopped can be saved', async ({ page }) => {
    const which = page.locator('#which');
    await which.getByRole('button', { name: 'Try the two moons' }).click();
    await quick(page, { ...small, Epochs: '100', 'Seeds for each rate': '50' });
    await which.getByRole('button', { name: 'Find p' }).click();
    await expect(which.locator('.headline')).toHaveText(/^So far/, { timeout: 60_000 });
    await which.getByRole('button', { name: 'Stop' }).click();
    const done = Number((await which.locator('.outcome .progress').textContent())!.match(/\d+/)![0]);
    const { text } = await saved(page, which.getByRole('button', { name: 'Save results.csv' }));
    expect(text.trimEnd().split('\n')).toHaveLength(done + 1);
});

test('wrong options say what is accepted, in both languages', async ({ page }) => {
    const which = page.locator('#which');
    await which.getByRole('button', { name: 'Try the two moons' }).click();
    for (const [label, wrong, right] of [
        ['Rates to try', '0, 1e-320', '0, 0.5'],
        ['Seeds for each rate', '100000', '3'],
        ['Epochs', '1.5', '20'],
        ['Sizes of the hidden layers', '16, x', '16, 8'],
        ['Share of rows to train on', '1', '0.5'],
    ]) {
        await quick(page, { [label]: wrong });
        await expect(which.getByLabel(label)).toHaveAccessibleDescription(/number.*\.$/);
        await expect(which.getByRole('button', { name: 'Find p' })).toBeDisabled();
        await quick(page, { [label]: right });
        await expect(which.getByLabel(label)).toHaveAccessibleDescription('');
    }
    await quick(page, { Epochs: '' });
    await page.getByRole('radio', { name: '日本語' }).check();
    await expect(which.getByLabel('エポック数')).toHaveAccessibleDescription('1〜10000の整数を入力してください。');
});

test('what the library says is about the page, not about the command line', async ({ page }) => {
    expect(forPage('cell 0.5: for a number add --task regression', 'numbers')).toBe(
        'cell 0.5: for a number choose “numbers” above',
    );
    expect(forPage('One training cannot separate chance from merit: add --seeds.', '')).toContain('add more seeds.');
    expect(forPage('line 2 is not UTF-8; save the file as UTF-8, or name its encoding, such as --encoding windows-1252', '')).toBe(
        'line 2 is not UTF-8; save the file as UTF-8',
    );
    expect(forPage('column `n` counts; leave it out with --ignore "n"', '')).toBe(
        'column `n` counts; leave it out of the file',
    );
    const which = page.locator('#which');
    await choose(page, 'fruit`s `.csv', table()); // the last column has fractions
    await expect(which.locator('.chosen')).toHaveText('fruit`s `.csv: 5 columns.', { timeout: 30_000 });
    await which.getByRole('button', { name: 'Find p' }).click();
    await expect(which.locator('#which-problem')).toContainText('choose “numbers” above', { timeout: 30_000 });
    await page.getByRole('radio', { name: '日本語' }).check();
    await expect(which.locator('#which-problem')).toContainText('choose “数値（回帰）” above');
    await expect(which.locator('#which-problem')).toHaveAttribute('lang', 'en');
});

test('another file takes the place of the old one at once', async ({ page }) => {
    const which = page.locator('#which');
    await choose(page, 'old.csv', table());
    await expect(which.locator('.chosen')).toHaveText('old.csv: 5 columns.', { timeout: 30_000 });
    await choose(page, 'new.csv', table(100_000));
    await expect(which.getByRole('button', { name: 'Find p' })).toBeHidden({ timeout: 100 });
    await expect(which.locator('.chosen')).toHaveText('new.csv: 5 columns.', { timeout: 30_000 });
});

test('a compressed file in Shift_JIS', async ({ page }) => {
    await open(page, '?lang=ja');
    const header = [0x8f, 0x64, 0x82, 0xb3, 0x2c, 0x8e, 0xed, 0x97, 0xde, 0x0a]; // 重さ,種類
    const rows = Array.from({ length: 40 }, (_, i) => `${i},${i % 4 < 2 ? 'a' : 'b'}\n`).join('');
    await choose(page, 'fruit.csv.gz', gzipSync(Buffer.concat([Buffer.from(header), Buffer.from(rows)])));
    const which = page.locator('#which');
    await expect(which.locator('.chosen')).toHaveText('fruit.csv.gz：2列（文字コード：shift_jis）', { timeout: 30_000 });
    await expect(which.getByLabel('予測する列')).toHaveValue('種類');
    await which.getByRole('button', { name: 'pを探す' }).click();
    await expect(which.locator('.headline')).toHaveText(/^おすすめはp = /, { timeout: 60_000 });
});

test('with one seed nothing is compared, in both languages', async ({ page }) => {
    const which = page.locator('#which');
    await which.getByRole('button', { name: 'Try the two moons' }).click();
    await quick(page, { ...small, 'Seeds for each rate': '1' });
    await which.getByRole('button', { name: 'Find p' }).click();
    await expect(which.locator('.headline')).toHaveText(/^Take p/, { timeout: 60_000 });
    await expect(which.locator('.sentences p')).toHaveCount(2);
    await expect(which.locator('.sentences p').last()).toHaveText(/add more seeds\.$/);
    await page.getByRole('radio', { name: '日本語' }).check();
    await expect(which.locator('.verdict')).toHaveText(ja.which.verdicts.unknown);
    await expect(which.locator('.sentences p')).toHaveCount(2);
    await expect(which.locator('.sentences p').last()).toHaveText(/^1回の学習だけでは偶然との区別がつかない/);
});

test('what the answer says in Japanese', () => {
    const of = (rate: number) => ({ rate, validation: `${rate} ± 1`, difference: `+${rate}` });
    const findings: Findings = {
        metric: 'accuracy',
        certain: true,
        trainings: 5,
        chosen: of(0.1),
        best: of(0.3),
        tied: [0.2],
        helpfulOthers: [0.3, 0.4],
        isHighest: false,
        sentences: [],
    };
    const said = (changed: Partial<Findings>) => ja.which.sentences({ ...findings, ...changed }).join('\n');
    expect(said({})).toContain('効果が確認できているのはp = 0.3、p = 0.4です。選んだp = 0.1の効果は偶然かもしれません。');
    expect(said({})).toContain('より弱いp = 0.1');
    expect(said({ chosen: of(0.5) })).toContain('効果が確認できているp = 0.5');
    expect(said({ chosen: of(0.5) })).not.toContain('より弱い');
    const unsure = said({ certain: false });
    expect(unsure).toMatch(/検証データの行数が少なすぎて、どれだけ確かかを示せません。$/);
    expect(unsure.split('\n')).toHaveLength(2);
});

test('the verdict in Japanese', async ({ page }) => {
    await page.getByRole('radio', { name: '日本語' }).check();
    const which = page.locator('#which');
    await which.getByRole('button', { name: '手書き数字で試す' }).click();
    await which.getByText('詳細設定').click();
    await which.getByLabel('試すpの値').fill('0, 0.5');
    await which.getByLabel('pごとのシード数').fill('2');
    await which.getByLabel('エポック数').fill('2');
    await which.getByLabel('隠れ層のユニット数').fill('16');
    await which.getByRole('button', { name: 'pを探す' }).click();
    await expect(which.locator('.headline')).toHaveText(/^おすすめはp = 0(\.5)?$/, { timeout: 60_000 });
    await expect(which.locator('.verdict')).toContainText('ドロップアウト');
    await expect(which.locator('.sentences p').first()).toHaveText(/^p\s=\s0(\.5)?：検証データの正解率 [\d.]+ % ± [\d.]+$/);
    await expect(which.locator('thead')).toHaveText('p学習データの正解率検証データの正解率差ドロップアウトなしとの差学習回数');
    await expect(which.getByRole('img', { name: /正解率（%）/ })).toBeVisible();
});
