// What does not load, or loads slowly, and what the page does then. The console may complain here.

import { expect, test, type Page } from '@playwright/test';

const noWorker = /A part of this page could not be loaded\. Reload the page\./;

const file = { name: 'a.csv', mimeType: 'text/csv', buffer: Buffer.from('a,b\n1,x\n') };

/** Without the service worker, which would ask for files in its own way. */
test.use({ serviceWorkers: 'block' });

/** Lets no file of this name come through, until it is allowed. */
async function without(page: Page, files: string): Promise<() => Promise<void>> {
    await page.route(files, route => route.abort());
    return () => page.unroute(files);
}

test('without the worker, parts 3 and 5 say so', async ({ page }) => {
    const allow = await without(page, '**/worker-*');
    await page.goto('?lang=en');
    const why = page.locator('#why');
    await why.getByRole('button', { name: 'Train' }).click();
    await expect(why.getByRole('alert')).toHaveText(noWorker, { timeout: 30_000 });
    await expect(why.getByRole('button', { name: 'Train' })).toBeVisible();
    const which = page.locator('#which');
    await which.locator('#which-file').setInputFiles(file);
    await expect(which.locator('#which-problem')).toHaveText(noWorker, { timeout: 30_000 });
    // The texts follow the language.
    await page.getByRole('radio', { name: '日本語' }).check();
    await expect(which.locator('#which-problem')).toHaveText(/再読み込み/);
    await expect(why.getByRole('alert')).toHaveText(/再読み込み/);
    await page.getByRole('radio', { name: 'English' }).check();

    // With the worker it goes on, and the complaint goes.
    await allow();
    await why.getByRole('button', { name: 'Train' }).click();
    await expect(why.getByRole('status')).toContainText('Epoch', { timeout: 30_000 });
    await expect(why.getByRole('alert')).toBeEmpty();
});

test('a training that crashes is said in words', async ({ page }) => {
    await page.route('**/worker-*', route =>
        route.fulfill({
            contentType: 'text/javascript',
            body: `addEventListener('message', ({ data: { id } }) =>
                id !== undefined && postMessage({ id, error: 'unreachable', crashed: true }))`,
        }),
    );
    await page.goto('?lang=en');
    await page.locator('#which').getByRole('button', { name: 'Try the two moons' }).click();
    await page.locator('#which').getByRole('button', { name: 'Find p' }).click();
    await expect(page.locator('#which-problem')).toHaveText(/^The training failed, or ran out of memory\./);
});

test('without the library, part 1 says so', async ({ page }) => {
    await without(page, '**/nn_dropout_core_bg*');
    await page.goto('?lang=en');
    const alert = page.locator('#line').getByRole('alert').filter({ hasText: /./ });
    await expect(alert).toHaveText(/^That did not work: /);
    await page.getByRole('radio', { name: '日本語' }).check();
    await expect(alert).toHaveText(/^エラーが発生しました/);
});

test('without the script, the page is not blank', async ({ page }) => {
    await without(page, '**/index-*.js');
    await page.goto('?lang=en');
    await expect(page.getByText('If it stays like this, reload it.')).toBeVisible();
});

test('charts that do not load once come with the next values', async ({ page }) => {
    const allow = await without(page, '**/uPlot*');
    await page.goto('?lang=en');
    const why = page.locator('#why');
    await why.getByRole('button', { name: 'Train' }).click();
    await expect(why.getByRole('status')).toContainText(/Epoch \d/, { timeout: 30_000 });
    await expect(why.locator('.uplot')).toHaveCount(0);
    await allow();
    await expect(why.locator('.uplot')).toHaveCount(2, { timeout: 30_000 });
});

test('while the network’s part loads, part 3 says so', async ({ page }) => {
    let allow = () => {};
    const allowed = new Promise<void>(resolve => (allow = resolve));
    await page.route('**/nn_dropout_training_bg*', async route => {
        await allowed;
        await route.continue();
    });
    await page.goto('?lang=en');
    const why = page.locator('#why');
    await why.scrollIntoViewIfNeeded();
    await expect(why.getByRole('status')).toHaveText('Loading …');
    const which = page.locator('#which');
    await which.locator('#which-file').setInputFiles(file);
    await expect(which.locator('.chosen')).toHaveText('Reading a.csv …');
    allow();
    await expect(why.getByRole('status')).toContainText('Press “Train”', { timeout: 30_000 });
    await expect(which.locator('.chosen')).toHaveText('a.csv: 2 columns.');
});

test('dragging p slowly while the worker loads slowly: the training begins anew and runs on', async ({ page }) => {
    await page.goto('?lang=en');
    const why = page.locator('#why');
    await why.getByRole('button', { name: 'Train' }).click();
    await expect(why.getByRole('status')).toContainText(/Epoch \d/, { timeout: 60_000 });
    await page.route('**/worker-*', async route => {
        await new Promise(resolve => setTimeout(resolve, 800));
        await route.continue();
    });
    for (let step = 0; step < 4; step++) {
        await why.getByRole('slider').press('ArrowRight');
        await page.waitForTimeout(500); // it begins anew, and waits for the worker
    }
    await expect(why.locator('.program')).toContainText('--dropout 0.7');
    await expect(why.getByRole('status')).toContainText(/Epoch \d\d/, { timeout: 60_000 });
    await why.getByRole('button', { name: 'Pause' }).click();
    await expect(why.getByRole('button', { name: 'Go on' })).toBeVisible();
});
