import { drawn, expect, open, slide, test } from './page';

test.beforeEach(({ page }) => open(page));

test('the line drops elements and multiplies the others', async ({ page }) => {
    const line = page.locator('#line');
    await expect(line.locator('.cell .y')).toHaveText(['0', '0', '6', '8']);
    await expect(line.locator('.cell.dropped')).toHaveCount(2);
    await expect(line).toContainText('2 of 4 elements are dropped. The others are multiplied by 1/(1 − 0.5) = 2.');
    await expect(line.locator('.program')).toContainText('Dropout::with_generator(0.5, &Generator::philox(42))?');
});

test('p moves by the keyboard, to both ends', async ({ page }) => {
    const line = page.locator('#line');
    const p = line.getByLabel('p', { exact: true });
    await slide(p, 'Home');
    await expect(line.locator('.cell .y')).toHaveText(['1', '2', '3', '4']);
    await slide(p, 'End');
    await expect(line.locator('.cell .y')).toHaveText(['0', '0', '0', '0']);
    await expect(line).toContainText('All 4 elements are dropped.');
    await slide(p, 'ArrowLeft', 80);
    await expect(line).toContainText('1/(1 − 0.2) = 1.25');
});

test('in eval mode the output is the input', async ({ page }) => {
    const line = page.locator('#line');
    await line.getByRole('radio', { name: 'eval' }).check();
    await expect(line.locator('.cell .y')).toHaveText(['1', '2', '3', '4']);
    await line.getByRole('button', { name: 'Next call' }).click();
    await expect(line.locator('.cell .y')).toHaveText(['1', '2', '3', '4']);
    await expect(line.getByLabel('Call number')).toHaveValue('0'); // only calls in training count
});

test('the code compiles, and is what is computed', async ({ page }) => {
    const line = page.locator('#line');
    const program = line.locator('.program');
    await slide(line.getByLabel('p', { exact: true }), 'Home');
    await line.getByLabel('Its elements').fill('1e21 12345678 0.123456 -3 1e-7');
    await expect(program).toHaveText(
        'let drop = Dropout::with_generator(0.0, &Generator::philox(42))?;\ndrop.forward([1e+21, 12345678.0, 0.123456, -3.0, 1e-7]);',
    );
    await expect(line.locator('.cell .x')).toHaveText(['1e+21', '12345678', '0.123456', '-3', '1e-7']);
    await expect(line.locator('.cell .y').nth(1)).toHaveText('12345678');
    await slide(page.locator('#zoo').getByRole('slider'), 'Home');
    for (const code of await page.locator('#zoo .names code:first-child').allTextContents()) {
        expect(code).toMatch(/\(0\.0[,)]/);
    }
});

test('a bar stays in its panel', async ({ page }) => {
    const line = page.locator('#line');
    await slide(line.getByLabel('p', { exact: true }), 'ArrowRight', 40);
    await line.getByLabel('Seed').fill('1');
    await line.getByLabel('Its elements').fill('-3 2 1');
    const [panel, ...bars] = await line
        .locator('.bars .bar, .bars .bar i')
        .evaluateAll(all => all.map(one => one.getBoundingClientRect()).map(({ top, bottom }) => ({ top, bottom })));
    for (const { top, bottom } of bars) {
        expect(top).toBeGreaterThanOrEqual(panel.top - 1);
        expect(bottom).toBeLessThanOrEqual(panel.bottom + 1);
    }
});

test('PyTorch’s masks are those of PyTorch', async ({ page }) => {
    const line = page.locator('#line');
    await slide(line.getByLabel('p', { exact: true }), 'ArrowRight', 20);
    await line.getByRole('button', { name: 'Show it above' }).click();
    await expect(line.locator('.cell .y')).toHaveText(['2', '4', '6', '8']);
    await expect(line.getByRole('radio', { name: 'PyTorch' })).toBeChecked();
    // torch.manual_seed(123); torch.nn.Dropout(0.5)(torch.ones(6, 6))
    await line.getByLabel('Seed').fill('123');
    await line.getByLabel('Its elements').fill(Array(6).fill('1 1 1 1 1 1').join(';'));
    await expect(line.locator('tr').first().locator('.y')).toHaveText(['2', '2', '0', '2', '2', '0']);
});

test('a call has the same mask when one comes back to it', async ({ page }) => {
    const line = page.locator('#line');
    for (const rng of ['nn-dropout', 'PyTorch', 'JAX']) {
        await line.getByRole('radio', { name: rng }).check();
        await line.getByLabel('Call number').fill('0');
        const outputs = [];
        for (let call = 0; call < 4; call++) {
            outputs.push(await line.locator('.cell .y').allTextContents());
            await line.getByRole('button', { name: 'Next call' }).click();
            await expect(line.getByLabel('Call number')).toHaveValue(String(call + 1));
        }
        await line.getByLabel('Call number').fill('2');
        await expect(line.locator('.cell .y')).toHaveText(outputs[2]);
    }
});

test('the mean of many calls is the input', async ({ page }) => {
    const line = page.locator('#line');
    await line.getByRole('button', { name: '1000 calls' }).click();
    await expect(line).toContainText('Mean of 1001 calls.');
    const means = (await line.locator('.bars small').allTextContents()).map(Number);
    means.forEach((mean, i) => expect(Math.abs(mean - (i + 1))).toBeLessThan(0.15 * (i + 1)));
    await expect(line.getByLabel('Call number')).toHaveValue('1000');
    await line.getByRole('button', { name: 'Start again' }).click();
    await expect(line).toContainText('Mean of 1 call.');
});

test('other tensors: more elements, and a picture', async ({ page }) => {
    const line = page.locator('#line');
    await line.getByRole('radio', { name: '4 × 8' }).check();
    await expect(line.locator('.cell')).toHaveCount(32);
    await line.getByRole('radio', { name: 'picture' }).check();
    await expect(line.locator('canvas')).toHaveCount(3);
    const first = await drawn(line.locator('canvas').nth(1));
    await line.getByRole('button', { name: '10 calls' }).click();
    await expect(line.getByRole('img', { name: 'mean of 11 calls' })).toBeVisible();
    expect(await drawn(line.locator('canvas').nth(1))).not.toBe(first);
    await line.getByRole('radio', { name: '1 2 3 4' }).check();
    await line.getByLabel('Its elements').fill('-1.5 2, 0.25; 3 -4 5');
    await expect(line.locator('tr')).toHaveCount(2);
    await expect(line.locator('.cell .x')).toHaveText(['-1.5', '2', '0.25', '3', '-4', '5']);
});

test('wrong input is said, and left out', async ({ page }) => {
    const line = page.locator('#line');
    const alerts = line.getByRole('alert');
    for (const [label, wrong, right] of [
        ['Its elements', '1 2 x', '1 2 3 4'],
        ['Its elements', '1 2; 3', '1 2 3 4'],
        ['Seed', '-1', '42'],
        ['Seed', '18446744073709551616', '18446744073709551615'],
        ['Call number', '1e9', '0'],
    ]) {
        await line.getByLabel(label).fill(wrong);
        await expect(alerts.filter({ hasText: /./ })).toHaveCount(1);
        await expect(line.getByLabel(label)).toHaveAttribute('aria-invalid', 'true');
        await expect(line.getByLabel(label)).toHaveAccessibleDescription(/(numbers|whole number)[^.]*\.$/);
        await line.getByLabel(label).fill(right);
        await expect(alerts.filter({ hasText: /./ })).toHaveCount(0);
    }
});
