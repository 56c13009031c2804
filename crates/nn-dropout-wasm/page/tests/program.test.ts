// The page and the program are the same library: they have to give the same numbers.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, open, saved, test } from './page';
import { forPage } from '../src/training/hints';
import type { Page } from '@playwright/test';

const program =
    process.env.NN_DROPOUT_PROGRAM ?? fileURLToPath(new URL('../../../../target/debug/nn-dropout', import.meta.url));

/**
 * How far apart the page and the program may be. Sums are rounded in another order with each instruction set, and a training makes
 * small differences larger. Mostly they stay below 1e-6. In the longest trainings, 3 of 90 differed in the class of one row of the
 * validation part, and losses by up to 0.0016.
 */
const LOSS = 0.005;
const METRIC = 1.5 / 160; // one row of the smallest part

let folder: string;

test.beforeEach(({ page }) => {
    test.skip(!existsSync(program), `there is no ${program}: set NN_DROPOUT_PROGRAM`);
    folder = mkdtempSync(join(tmpdir(), 'nn-dropout-page-'));
    return page.addInitScript(() => {
        // Keeps what the workers say: the page shows fewer digits.
        const said: unknown[][] = [];
        const { Worker } = window;
        window.Worker = class extends Worker {
            constructor(...args: ConstructorParameters<typeof Worker>) {
                super(...args);
                const own: unknown[] = [];
                said.push(own);
                this.addEventListener('message', ({ data }) => own.push(data.result ?? data.error));
            }
        };
        Object.assign(window, { said });
    });
});

test.afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a command that the page shows. */
function run(command: string, ...more: string[]): string {
    const [name, ...words] = command.split(' ');
    expect(name).toBe('nn-dropout');
    return execFileSync(program, [...words, '--out', 'out', ...more], { cwd: folder, encoding: 'utf8' });
}

const said = (page: Page) => page.evaluate(() => (window as unknown as { said: unknown[][] }).said);

const rows = (csv: string) =>
    csv
        .trimEnd()
        .split('\n')
        .map(line => line.split(','));

interface Measured {
    epoch: number;
    train: { loss: number; metric: number };
    validation: { loss: number; metric: number };
}

for (const data of ['two moons', 'two circles', 'digits']) {
    test(`training on ${data}`, async ({ page }) => {
        await open(page);
        const why = page.locator('#why');
        await why.getByRole('radio', { name: data }).check();
        await why.getByRole('button', { name: 'Train' }).click();
        await expect(why).toHaveAttribute('data-state', 'ended', { timeout: 150_000 });
        if (data !== 'digits') {
            const { name, text } = await saved(page, why.getByRole('button', { name: 'Save the table' }));
            writeFileSync(join(folder, name), text);
        }
        // The last worker is that of the right network.
        const measured = (await said(page))
            .at(-1)!
            .filter((one): one is Measured => typeof one === 'object' && one !== null && 'epoch' in one);
        run((await why.locator('.program').textContent())!);
        const [header, ...lines] = rows(readFileSync(join(folder, 'out', 'metrics.csv'), 'utf8'));
        expect(header.join()).toBe('epoch,train_loss,train_accuracy,val_loss,val_accuracy');
        expect(measured).toHaveLength(lines.length);
        const furthest = { loss: 0, metric: 0 };
        measured.forEach(({ epoch, train, validation }, index) => {
            const [theirEpoch, trainLoss, trainMetric, validationLoss, validationMetric] = lines[index].map(Number);
            expect(epoch).toBe(theirEpoch);
            const losses = [train.loss - trainLoss, validation.loss - validationLoss];
            const metrics = [train.metric - trainMetric, validation.metric - validationMetric];
            furthest.loss = Math.max(furthest.loss, ...losses.map(Math.abs));
            furthest.metric = Math.max(furthest.metric, ...metrics.map(Math.abs));
        });
        console.log(`${data}, the largest differences: loss ${furthest.loss}, accuracy ${furthest.metric}`);
        expect(furthest.loss).toBeLessThan(LOSS);
        expect(furthest.metric).toBeLessThan(METRIC);
    });
}

test('a sweep', async ({ page }) => {
    await open(page);
    const which = page.locator('#which');
    await which.getByRole('button', { name: 'Try the two moons' }).click();
    await which.getByText('Options', { exact: true }).click();
    await which.getByLabel('Rates to try').fill('0,0.25,0.5,0.75');
    await which.getByLabel('Seeds for each rate').fill('3');
    await which.getByLabel('Epochs').fill('60');
    await which.getByRole('button', { name: 'Find p' }).click();
    await expect(which.locator('.headline')).toHaveText(/^Take p/, { timeout: 150_000 });
    const table = await saved(page, page.locator('#why').getByRole('button', { name: 'Save the table' }));
    writeFileSync(join(folder, table.name), table.text);
    const printed = run((await which.locator('.program').textContent())!, '--jobs', '2', '--quiet');

    const results = await saved(page, which.getByRole('button', { name: 'Save results.csv' }));
    const [ours, theirs] = [rows(results.text), rows(readFileSync(join(folder, 'out', 'results.csv'), 'utf8'))];
    expect(ours[0]).toEqual(theirs[0]);
    const sorted = (table: string[][]) =>
        table.slice(1).sort((a, b) => Number(a[0]) - Number(b[0]) || Number(a[1]) - Number(b[1]));
    const seconds = ours[0].indexOf('seconds');
    let furthest = 0;
    sorted(ours).forEach((row, index) =>
        row.forEach((cell, column) => {
            const other = sorted(theirs)[index][column];
            if (column !== seconds && cell !== other) {
                furthest = Math.max(furthest, Math.abs(Number(cell) - Number(other)));
            }
        }),
    );
    console.log(`a sweep: the largest difference is ${furthest}`);
    expect(furthest).toBeLessThan(METRIC);

    // What is said is the same: the words, and the numbers nearly.
    const lines = printed.split('\n').map(line => forPage(line, 'numbers').trim().replace(/ +/g, ' '));
    const skeleton = (line: string) => line.replace(/[+-]?\d+(\.\d+)?/g, '#');
    const numbers = (line: string) => (line.match(/[+-]?\d+(\.\d+)?/g) ?? []).map(Number);
    const cells = await which.locator('tbody tr').evaluateAll(rows =>
        rows.map(row =>
            Array.from(row.children, cell => cell.textContent)
                .filter(Boolean)
                .join(' '),
        ),
    );
    const sentences = await which.locator('.sentences p').allTextContents();
    for (const text of [...cells.map(row => row.replace('←', '<-')), ...sentences].map(text =>
        text.replaceAll('\u00a0', ' '),
    )) {
        const same = lines.filter(line => skeleton(line) === skeleton(text));
        const near = same.some(line =>
            numbers(line).every((number, at) => Math.abs(number - numbers(text)[at]) < 0.25),
        );
        expect(near, `${text}\n${printed}`).toBe(true);
    }
    const recommended = await saved(page, which.getByRole('button', { name: 'Save recommended.toml' }));
    expect(recommended.text).toBe(readFileSync(join(folder, 'out', 'recommended.toml'), 'utf8'));
});
