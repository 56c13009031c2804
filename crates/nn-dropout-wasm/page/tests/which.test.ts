import { readFileSync } from 'node:fs';
import { expect, open, saved, shifts, test, watchShifts } from './page';
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
    const alert = which.getByRole('alert');
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
    await expect(which.locator('.headline')).toHaveText(/^Take p = /, { timeout: 60_000 });
    await expect(which.locator('.outcome .progress')).toContainText(/ of 45 trainings$/);
    // Another table takes the place of this one.
    await which.getByRole('button', { name: 'Try the digits' }).click();
    await expect(which.locator('.outcome')).toBeHidden();
    await expect(which.locator('.program')).toHaveText(
        'nn-dropout sweep --train-fraction 0.25 --hidden 512,512 --epochs 30 --rates 0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8 --seeds 5',
    );
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
