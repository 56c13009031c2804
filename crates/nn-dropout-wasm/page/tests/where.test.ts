import { expect, open, test } from './page';

test.beforeEach(({ page }) => open(page));

test('every place says what is dropped there, by the keyboard alone', async ({ page }) => {
    const networks = page.locator('#where .network');
    await expect(networks).toHaveCount(3);
    let places = 0;
    for (const network of await networks.all()) {
        const marks = network.getByRole('button');
        await marks.first().focus();
        const texts = new Set<string>();
        for (let index = 0; index < (await marks.count()); index++) {
            await expect(marks.nth(index)).toBeFocused();
            await expect(marks.nth(index)).toHaveAttribute('aria-pressed', 'true');
            const title = (await marks.nth(index).getAttribute('aria-label'))!.replace(': ', '. ');
            await expect(network.locator('.panel h4')).toHaveText(title);
            await expect(network.locator('.panel code').first()).not.toBeEmpty();
            texts.add((await network.locator('.panel').textContent())!);
            await page.keyboard.press('Tab');
            places += 1;
        }
        expect(texts.size).toBe(await marks.count());
    }
    expect(places).toBe(13);
});

test('and by pointing and tapping', async ({ page }) => {
    const network = page.locator('#where .network').first();
    await network.getByRole('button', { name: '2:' }).hover();
    await expect(network.locator('.panel')).toContainText('The attention weights');
    await network.getByRole('button', { name: '4:' }).click();
    await expect(network.locator('.panel')).toContainText('Before the second residual');
});

test('labels are text in the font of the page', async ({ page }) => {
    const label = page.locator('#where svg text', { hasText: 'layer norm' }).first();
    const [own, body] = await label.evaluate(element => [
        getComputedStyle(element).fontFamily,
        getComputedStyle(document.body).fontFamily,
    ]);
    expect(own).toBe(body);
});
