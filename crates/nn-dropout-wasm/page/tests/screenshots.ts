// Pictures of every part, to look at: light, dark, narrow, and in Japanese.

import { fileURLToPath } from 'node:url';
import { test, type Page } from '@playwright/test';
import { open } from './page';

const folder = fileURLToPath(new URL('../../../../target/screenshots/', import.meta.url));

const book = fileURLToPath(new URL('../../../../docs/', import.meta.url));

test.use({ bypassCSP: true });
test.setTimeout(600_000);

for (const { name, width, lang, scheme } of [
    { name: 'light', width: 1280, lang: 'en', scheme: 'light' },
    { name: 'dark', width: 1280, lang: 'en', scheme: 'dark' },
    { name: 'narrow', width: 390, lang: 'en', scheme: 'light' },
    { name: 'japanese', width: 1280, lang: 'ja', scheme: 'light' },
    { name: 'japanese-narrow', width: 390, lang: 'ja', scheme: 'dark' },
] as const) {
    test(name, async ({ page }) => {
        await page.setViewportSize({ width, height: 900 });
        await page.emulateMedia({ colorScheme: scheme });
        await open(page, `?lang=${lang}`);
        await page.screenshot({ path: `${folder}${name}-0-first-view.png` });
        // The navigation would lie over the parts.
        await page.addStyleTag({ content: 'header, nav { position: static !important; }' });
        const shoot = (part: string, number: number, state = '') =>
            page.locator(`#${part}`).screenshot({ path: `${folder}${name}-${number}-${part}${state}.png` });

        await page.locator('#line .buttons button').nth(2).click();
        await page.waitForTimeout(1500);
        await shoot('line', 1);
        await page.locator('#line input[value=picture]').check();
        await page.locator('#line .buttons button').nth(1).click();
        await page.waitForTimeout(1000);
        await shoot('line', 1, '-picture');
        await page.locator('#line input[value=large]').check();
        await page.locator('#line .bench').screenshot({ path: `${folder}${name}-1-line-large.png` });

        await shoot('zoo', 2);
        await shoot('where', 4);

        const train = page.locator('#why button.primary');
        await page.locator('#why input[type=checkbox]').check();
        await train.click();
        await page.locator('#why[data-state=ended]').waitFor({ timeout: 200_000 });
        await page.waitForTimeout(500);
        await shoot('why', 3);
        if (name === 'light') {
            await page.locator('#why input[value=digits]').check();
            await page.locator('#why input[value=loss]').check();
            await train.click();
            await page.locator('#why[data-state=ended]').waitFor({ timeout: 200_000 });
            await shoot('why', 3, '-digits');
        }

        await shoot('which', 5, '-begin');
        await page.locator('#which .drop button').last().click();
        await page.locator('#which details summary').click();
        await page.locator('#which .options .primary').click();
        await page.locator('#which .outcome .buttons').waitFor({ timeout: 300_000 });
        await page.waitForTimeout(500);
        await shoot('which', 5);
    });
}

/** A picture of what is between the top of one element and the bottom of another. */
async function clip(page: Page, from: string, to: string, path: string): Promise<void> {
    const [top, bottom] = [await page.locator(from).first().boundingBox(), await page.locator(to).last().boundingBox()];
    const width = (await page.locator('main').boundingBox())!.width;
    const scrolled = await page.evaluate(() => scrollY);
    await page.screenshot({
        path,
        fullPage: true,
        clip: {
            x: top!.x - 16,
            y: top!.y + scrolled - 12,
            width: Math.min(width, 972),
            height: bottom!.y + bottom!.height - top!.y + 24,
        },
    });
}

test('pictures for the book', async ({ page }) => {
    await page.setViewportSize({ width: 1000, height: 900 });
    for (const [lang, path] of [
        ['en', 'page-which.png'],
        ['ja', 'ja/page-which.png'],
    ]) {
        await open(page, `?lang=${lang}`);
        await page.addStyleTag({ content: 'header, nav { position: static !important; }' });
        if (lang === 'en') {
            await page.locator('#why button.primary').click();
            await page.locator('#why[data-state=ended]').waitFor({ timeout: 200_000 });
            await page.waitForTimeout(500);
            await clip(page, '#why h3', '#why .chart', `${book}page-why.png`);
        }
        await page.locator('#which .drop button').last().click();
        await page.locator('#which .options .primary').click();
        await page.locator('#which .outcome .buttons').waitFor({ timeout: 300_000 });
        await page.waitForTimeout(1000);
        await clip(page, '#which .answer', '#which .scroll', `${book}${path}`);
    }
});
