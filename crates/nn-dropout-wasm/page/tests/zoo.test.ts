import { drawn, expect, isBlank, open, slide, test } from './page';

test.describe('all kinds', () => {
    test.beforeEach(({ page }) => open(page));

    test('each has a picture, a sentence and two names', async ({ page }) => {
        const cards = page.locator('#zoo .card');
        await expect(cards).toHaveCount(16);
        for (const card of await cards.all()) {
            await expect(card.getByRole('img')).toHaveAttribute('aria-label', /: .*(%|deviation)/);
            await expect(card.locator('code')).toHaveText([/\(0\.3|\(3\.0\)/, /0\.3|3/]);
            const canvas = card.locator('canvas');
            if (await canvas.count()) {
                expect(await isBlank(canvas)).toBe(false);
            }
        }
        await expect(page.locator('#zoo .others')).toContainText('zoneout');
    });

    test('the next call and another p draw other masks', async ({ page }) => {
        const canvases = page.locator('#zoo canvas');
        const before = await Promise.all((await canvases.all()).map(drawn));
        await page.locator('#zoo').getByRole('button', { name: 'Next call' }).click();
        await expect(page.locator('#zoo .call-number')).toHaveText('call number 1');
        const after = await Promise.all((await canvases.all()).map(drawn));
        const same = after.filter((picture, i) => picture === before[i]).length;
        expect(same).toBeLessThanOrEqual(2); // few channels or samples may be the same by chance
        await slide(page.locator('#zoo').getByRole('slider'), 'ArrowRight', 4);
        await expect(page.locator('#zoo .card').first().locator('code').first()).toHaveText('Dropout::new(0.5)?');
        const more = await Promise.all((await canvases.all()).map(drawn));
        expect(more.filter((picture, i) => picture === after[i]).length).toBeLessThanOrEqual(2);
    });

    test('at p = 0 nothing is dropped, at p = 0.95 nearly all', async ({ page }) => {
        const slider = page.locator('#zoo').getByRole('slider');
        await slide(slider, 'Home');
        const pictures = page.locator('#zoo .card [role=img]');
        const none = await pictures.evaluateAll(all => all.map(one => one.getAttribute('aria-label')!));
        expect(none.filter(label => label.endsWith(': 0 % is dropped.')).length).toBe(15); // one says its mean
        await slide(slider, 'End');
        await expect(pictures.first()).toHaveAttribute('aria-label', /: 9[456] % is dropped/);
    });

    test('a dropped word is dropped wherever it occurs, a token where it stands', async ({ page }) => {
        const sentences = page.locator('#zoo .words');
        const next = page.locator('#zoo').getByRole('button', { name: 'Next call' });
        let tokensDiffer = false;
        for (let call = 0; call < 8; call++) {
            const [tokens, words] = await sentences.evaluateAll(all =>
                all.map(one =>
                    Array.from(one.children, word => [word.textContent!, String(word.classList.contains('dropped'))]),
                ),
            );
            const states = (pairs: string[][]) =>
                new Set(pairs.filter(([word]) => word === 'the').map(([, dropped]) => dropped)).size;
            expect(states(words)).toBe(1);
            tokensDiffer ||= states(tokens) === 2;
            await next.click();
        }
        expect(tokensDiffer).toBe(true);
    });

    test('it plays and pauses', async ({ page }) => {
        const number = page.locator('#zoo .call-number');
        await page.locator('#zoo').getByRole('button', { name: 'Play' }).click();
        await expect(number).toHaveText('call number 3', { timeout: 4000 });
        await page.locator('#zoo').getByRole('button', { name: 'Pause' }).click();
        const shown = await number.textContent();
        await page.waitForTimeout(1500);
        await expect(number).toHaveText(shown!);
    });
});

test.describe('with reduced motion', () => {
    test.use({ contextOptions: { reducedMotion: 'reduce' } });

    test('pictures change seldom, and many calls come at once', async ({ page }) => {
        await open(page);
        const number = page.locator('#zoo .call-number');
        await page.locator('#zoo').getByRole('button', { name: 'Play' }).click();
        await expect(number).toHaveText('call number 1');
        await page.waitForTimeout(2000);
        await expect(number).toHaveText('call number 1');
        await page.locator('#line').getByRole('button', { name: '1000 calls' }).click();
        // No frame between the first and the last call.
        await expect(page.locator('#line')).toContainText('Mean of 1001 calls.', { timeout: 1000 });
        expect(await page.evaluate(() => getComputedStyle(document.documentElement).scrollBehavior)).toBe('auto');
    });
});
