import { drawn, expect, isBlank, open, saved, slide, test } from './page';

test.beforeEach(({ page }) => open(page));

test('both networks train, pause, go on and begin anew', async ({ page }) => {
    const why = page.locator('#why');
    const status = why.getByRole('status');
    await why.getByRole('button', { name: 'Train' }).click();
    await expect(status).toContainText(/^Epoch \d+ of 300\. Validation accuracy/, { timeout: 30_000 });
    await why.getByRole('button', { name: 'Pause' }).click();
    await expect(why.getByRole('button', { name: 'Go on' })).toBeVisible();
    await page.waitForTimeout(1000); // what was under way
    const paused = await status.textContent();
    await page.waitForTimeout(1000);
    await expect(status).toHaveText(paused!);
    for (const canvas of await why.locator('.drawing canvas').all()) {
        expect(await isBlank(canvas)).toBe(false);
    }
    await why.getByRole('button', { name: 'Go on' }).click();
    await expect(status).not.toHaveText(paused!);
    await why.getByRole('button', { name: 'Pause' }).click();
    await why.getByRole('button', { name: 'Start again' }).click();
    await expect(status).toContainText('Press “Train”');
    await expect(why.locator('.scores dd').first()).toHaveText('–');
});

test('without dropout the network overfits, and with too much it underfits', async ({ page }) => {
    const why = page.locator('#why');
    const status = why.getByRole('status');
    const end = async () => {
        await expect(status).toContainText('Epoch 300 of 300', { timeout: 120_000 });
        return (await why.locator('.scores dd').allTextContents()).map(parseFloat);
    };
    await why.getByRole('button', { name: 'Train' }).click();
    const [train, validation, gap, dropTrain, dropValidation, dropGap] = await end();
    expect(dropGap).toBeLessThan(gap);
    expect(dropTrain).toBeLessThan(train);
    expect(dropValidation).toBeGreaterThan(validation);
    await expect(why.getByRole('img', { name: /^Without dropout: training/ })).toBeVisible();

    await slide(why.getByRole('slider'), 'ArrowRight', 9);
    await expect(why.locator('.program')).toContainText('--dropout 0.95');
    await expect(status).toContainText('Press “Train”');
    await why.getByRole('button', { name: 'Train' }).click();
    const much = await end();
    expect(much.slice(0, 2)).toEqual([train, validation]); // the same network again
    expect(much[3]).toBeLessThan(dropTrain);
});

test('uncertainty is drawn where there is dropout', async ({ page }) => {
    const why = page.locator('#why');
    await why.getByRole('button', { name: 'Train' }).click();
    await expect(why.getByRole('status')).toContainText(/Epoch \d\d/, { timeout: 60_000 });
    await why.getByRole('button', { name: 'Pause' }).click();
    await page.waitForTimeout(1000);
    const canvases = why.locator('.drawing canvas');
    const [without, drop] = [await drawn(canvases.first()), await drawn(canvases.last())];
    await why.getByRole('checkbox').check();
    await expect.poll(() => drawn(canvases.last())).not.toBe(drop);
    expect(await drawn(canvases.first())).toBe(without);
});

test('circles and digits', async ({ page }) => {
    const why = page.locator('#why');
    await why.getByRole('radio', { name: 'two circles' }).check();
    await why.getByRole('button', { name: 'Train' }).click();
    await expect(why.getByRole('status')).toContainText(/Epoch \d+ of 300/, { timeout: 60_000 });
    // A training that runs goes on with the other data.
    await why.getByRole('radio', { name: 'digits' }).check();
    await expect(why.getByRole('status')).toContainText(/Epoch \d+ of 30\./, { timeout: 60_000 });
    const digits = why.getByRole('img', { name: /^100 validation digits, of which the network misreads \d+\.$/ });
    await expect(digits).toHaveCount(2);
    // It learns to read: at the end it misreads few.
    await expect(why.getByRole('status')).toContainText(/Epoch 30 of 30\./, { timeout: 60_000 });
    for (const name of await digits.evaluateAll(all => all.map(one => one.getAttribute('aria-label')!))) {
        const misread = Number(name.match(/misreads (\d+)/)![1]);
        expect(misread).toBeGreaterThan(0);
        expect(misread).toBeLessThan(12);
    }
    const canvas = why.locator('.drawing canvas').last();
    const without = await drawn(canvas);
    await why.getByRole('checkbox').check();
    await expect.poll(() => drawn(canvas)).not.toBe(without);
    await expect(why.locator('.program')).toHaveText('nn-dropout train --dropout 0.5 --eval-interval 1');
});

test('the table can be saved, and the curves be of the loss', async ({ page }) => {
    const why = page.locator('#why');
    const { name, text } = await saved(page, why.getByRole('button', { name: 'Save the table' }));
    expect(name).toBe('moons.csv');
    const lines = text.trimEnd().split('\n');
    expect(lines[0]).toBe('x,y,class');
    expect(lines).toHaveLength(801);
    expect(lines.slice(1).every(line => /^-?\d+\.\d{3},-?\d+\.\d{3},[ab]$/.test(line))).toBe(true);
    await why.getByRole('button', { name: 'Train' }).click();
    await expect(why.getByRole('status')).toContainText(/Epoch \d+ of 300/, { timeout: 60_000 });
    await why.getByRole('radio', { name: 'loss' }).check();
    await expect(why.locator('.scores dd').first()).toHaveText(/^\d\.\d{3}$/);
});
