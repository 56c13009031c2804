import { drawn, expect, isBlank, open, shifts, test, watchShifts } from './page';
import { en } from '../src/i18n/en';
import { ja } from '../src/i18n/ja';
import type { Page } from '@playwright/test';

/** Scrolls through all of the page, so that all of it is loaded and drawn. */
async function throughAll(page: Page): Promise<void> {
    for (const part of ['line', 'zoo', 'why', 'where', 'which']) {
        await page.locator(`#${part}`).scrollIntoViewIfNeeded();
        await page.waitForTimeout(300);
    }
}

test('the first view: few bytes, and nothing moves', async ({ page }) => {
    let bytes = 0;
    const names: string[] = [];
    page.on('requestfinished', async request => {
        if (!request.serviceWorker()) {
            const { responseBodySize, responseHeadersSize } = await request.sizes();
            bytes += responseBodySize + responseHeadersSize;
            names.push(new URL(request.url()).pathname.split('/').pop()!);
        }
    });
    await watchShifts(page);
    const began = Date.now();
    await open(page);
    const ready = Date.now() - began;
    const paint = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0].startTime);
    await page.waitForTimeout(500);
    console.log(
        `first view: ${(bytes / 1000).toFixed(0)} kB in ${names.length} files, first paint ${paint.toFixed(0)} ms, computed ${ready} ms`,
    );
    expect(bytes).toBeLessThan(300_000);
    expect(names.some(name => name.includes('training'))).toBe(false);

    await throughAll(page);
    await page.waitForTimeout(2000);
    expect(await shifts(page)).toEqual([]);
});

test('nothing is asked of another host, and nothing is sent', async ({ page, baseURL }) => {
    const wrong: string[] = [];
    page.context().on('request', request => {
        if (!request.url().startsWith(baseURL!) && !request.url().startsWith('blob:')) {
            wrong.push(request.url());
        }
        if (request.method() !== 'GET') {
            wrong.push(request.method());
        }
    });
    await open(page);
    await throughAll(page);
    await page.locator('#which').getByRole('button', { name: 'Try the two moons' }).click();
    await page.waitForTimeout(500);
    expect(wrong).toEqual([]);
    await expect(page.locator('meta[http-equiv="Content-Security-Policy"]')).toHaveAttribute(
        'content',
        /connect-src 'self'/,
    );
});

test('both languages, in the address and by the switch', async ({ page }) => {
    await open(page, '?lang=ja');
    await expect(page.locator('html')).toHaveAttribute('lang', 'ja');
    await expect(page.locator('h1')).toContainText(ja.title);
    await expect(page).toHaveTitle(ja.documentTitle);
    for (const part of ['line', 'zoo', 'why', 'where', 'which'] as const) {
        await expect(page.locator(`#${part} h2`)).toContainText(ja[part].title);
    }
    // No text that the page has in both languages is left in English.
    const text = await page.locator('main').innerText();
    const english = (value: unknown): string[] =>
        typeof value === 'string' ? [value] : typeof value === 'object' ? Object.values(value!).flatMap(english) : [];
    const both = new Set(english(ja));
    expect(
        english(en).filter(one => one.length > 5 && !both.has(one) && text.includes(one.replaceAll('`', ''))),
    ).toEqual([]);

    await page.getByRole('radio', { name: 'English' }).check();
    await expect(page.locator('html')).toHaveAttribute('lang', 'en');
    await expect(page).toHaveURL(/lang=en/);
    expect(await page.locator('main').innerText()).not.toMatch(/[\u3040-\u30ff\u4e00-\u9fff]/);
});

test.describe('in a browser in Japanese', () => {
    test.use({ locale: 'ja-JP' });
    test('the page begins in Japanese', async ({ page }) => {
        await open(page, '');
        await expect(page.locator('html')).toHaveAttribute('lang', 'ja');
    });
});

test('light and dark, by the system and by the switch', async ({ page }) => {
    await page.emulateMedia({ colorScheme: 'light' });
    await open(page);
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const canvas = page.locator('#zoo .card', { hasText: 'Channels of signals' }).locator('canvas');
    const [light, lines] = [await background(), await drawn(canvas)];
    const toggle = page.getByRole('button', { name: 'Dark' });
    await expect(toggle).toHaveAttribute('aria-pressed', 'false');
    await toggle.click();
    await expect(toggle).toHaveAttribute('aria-pressed', 'true');
    const dark = await background();
    expect(dark).not.toBe(light);
    expect(await drawn(canvas)).not.toBe(lines); // canvases follow
    await page.reload();
    expect(await background()).toBe(dark); // it is remembered
    await toggle.click();
    expect(await background()).toBe(light);
    await page.evaluate(() => localStorage.clear());
    await page.reload();
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await background()).toBe(dark);
});

for (const scheme of ['light', 'dark'] as const) {
    test(`contrast, ${scheme}`, async ({ page }) => {
        await page.emulateMedia({ colorScheme: scheme });
        await open(page);
        const ratios = await page.evaluate(() => {
            const probe = document.body.appendChild(document.createElement('i'));
            const luminance = (name: string) => {
                probe.style.color = `var(${name})`;
                const [red, green, blue] = getComputedStyle(probe)
                    .color.match(/[\d.]+/g)!
                    .map(value => Number(value) / 255)
                    .map(value => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
                return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
            };
            const ratio = (one: string, other: string) => {
                const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
                return (high + 0.05) / (low + 0.05);
            };
            const texts = ['--ink', '--muted', '--accent', '--dropped'].flatMap(text =>
                ['--paper', '--surface'].map(ground => [`${text} on ${ground}`, ratio(text, ground), 4.5]),
            );
            const parts = ['--control', '--class-a', '--class-b'].map(part => [
                `${part} on --paper`,
                ratio(part, '--paper'),
                3,
            ]);
            return [...texts, ...parts, ['--on-accent on --accent', ratio('--on-accent', '--accent'), 4.5]] as [
                string,
                number,
                number,
            ][];
        });
        expect(ratios.filter(([, ratio, least]) => ratio < least)).toEqual([]);
    });
}

for (const [width, lang] of [
    [360, 'en'],
    [360, 'ja'],
    [768, 'en'],
] as const) {
    test(`${width} pixels wide, ${lang}: nothing sticks out`, async ({ page }) => {
        await page.setViewportSize({ width, height: 740 });
        await open(page, `?lang=${lang}`);
        await page.locator('#line input[value=large]').check();
        await page.locator('#which .drop button').last().click();
        await page.locator('#which details').evaluate(details => ((details as HTMLDetailsElement).open = true));
        await throughAll(page);
        const wide = await page.evaluate(() =>
            Array.from(document.querySelectorAll('main *, header *'))
                .filter(element => !element.closest('.scroll, .definitions, .skip'))
                .filter(element => element.getBoundingClientRect().right > innerWidth + 1)
                .map(element => `${element.tagName} ${element.className} ${element.textContent?.slice(0, 40)}`),
        );
        expect(wide).toEqual([]);
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
        // Large enough to tap.
        const little = await page.evaluate(() =>
            Array.from(document.querySelectorAll('button, select, input[type=text], .bar label, nav a, .file'))
                .map(element => ({ name: element.textContent, height: element.getBoundingClientRect().height }))
                .filter(({ height }) => height > 0 && height < 24),
        );
        expect(little).toEqual([]);
    });
}

test('by the keyboard alone: everything is reached, and the focus is seen', async ({ page }) => {
    await open(page);
    await page.keyboard.press('Tab');
    await expect(page.getByRole('link', { name: 'Skip to the content' })).toBeFocused();
    const names: string[] = [];
    for (let press = 0; press < 90; press++) {
        await page.keyboard.press('Tab');
        const focused = await page.evaluate(() => {
            const element = document.activeElement as HTMLElement;
            if (!element || element === document.body) {
                return undefined;
            }
            const marked = [element, element.nextElementSibling, element.querySelector('.target')].some(one => {
                const style = one && getComputedStyle(one);
                return (
                    style &&
                    ((style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2) ||
                        (one instanceof SVGElement && style.strokeWidth === '3px'))
                );
            });
            return {
                name: element.getAttribute('aria-label') ?? element.textContent ?? '',
                tag: element.tagName,
                marked,
            };
        });
        if (!focused) {
            break;
        }
        expect(focused.marked, `${focused.tag} ${focused.name}`).toBe(true);
        names.push(focused.name);
    }
    for (const name of [
        'Next call',
        '1000 calls',
        'Check this browser',
        'Play',
        'Train',
        'Start again',
        '4: Before the last layer',
        'Try the two moons',
    ]) {
        expect(names).toContain(name);
    }
});

test('every control has a name, every picture a text, and ids are unique', async ({ page }) => {
    await open(page);
    await throughAll(page);
    await page.locator('#which').getByRole('button', { name: 'Try the two moons' }).click();
    const bad = await page.evaluate(() => {
        const nameless = Array.from(
            document.querySelectorAll<HTMLInputElement>('input, select, button, a, [role=button], [role=img], canvas'),
        ).filter(
            element =>
                !element.closest('[hidden]') &&
                !(element.getAttribute('aria-label') || element.textContent?.trim() || element.labels?.length) &&
                !element.closest('[role=img][aria-label]'),
        );
        const ids = Array.from(document.querySelectorAll('[id]'), element => element.id);
        return [...nameless.map(element => element.outerHTML), ...ids.filter((id, at) => ids.indexOf(id) !== at)];
    });
    expect(bad).toEqual([]);
    await expect(page.getByRole('heading', { level: 1 })).toHaveCount(1);
    await expect(page.getByRole('heading', { level: 2 })).toHaveCount(5);
});

test('a link to a part leads there, also when all is kept', async ({ page }) => {
    await open(page);
    await page.evaluate(() => navigator.serviceWorker.ready);
    for (const part of ['why', 'where', 'which', 'zoo']) {
        await page.goto('about:blank');
        await open(page, `?lang=en#${part}`);
        // The last part may be too short to come to the top.
        const isThere = () =>
            page.locator(`#${part}`).evaluate(element => {
                const { top } = element.getBoundingClientRect();
                return top >= 0 && (top < 120 || scrollY + innerHeight > document.documentElement.scrollHeight - 2);
            });
        await expect.poll(isThere).toBe(true);
        await page.waitForTimeout(300);
        expect(await isThere()).toBe(true);
    }
    await expect(page.getByRole('link', { name: '1 The line' })).toBeVisible();
});

test('the same text is not said again', async ({ page }) => {
    await open(page);
    const changes = await page.evaluate(async () => {
        let count = 0;
        const heads = document.querySelectorAll('#zoo h3, #where .panel, #why [role=status]');
        const seen = new MutationObserver(records => (count += records.length));
        heads.forEach(head => seen.observe(head, { childList: true, subtree: true, characterData: true }));
        // Whatever is shown again is the same.
        document.querySelector<HTMLInputElement>('header input')!.dispatchEvent(new Event('change'));
        await new Promise(requestAnimationFrame);
        return count;
    });
    expect(changes).toBe(0);
});

test('high contrast: what is chosen and how far something is can be seen', async ({ page }) => {
    await page.emulateMedia({ forcedColors: 'active' });
    await open(page);
    const background = (selector: string) =>
        page.locator(selector).first().evaluate(element => getComputedStyle(element).backgroundColor);
    expect(await background('#line .bar input:checked + span')).not.toBe(
        await background('#line .bar input:not(:checked) + span'),
    );
    for (const canvas of await page.locator('#zoo canvas').all()) {
        expect(await isBlank(canvas)).toBe(false);
    }
    const border = await page.locator('.file').evaluate(element => getComputedStyle(element).borderTopWidth);
    expect(parseFloat(border)).toBeGreaterThan(0);
    // The part of a slider's track up to the handle has another colour than the rest.
    const track = await page
        .locator('#line input[type=range]')
        .evaluate(element => getComputedStyle(element).getPropertyValue('--track'));
    expect(track).toContain('Highlight');
});

test('after the first visit it works without a network', async ({ page, context }) => {
    await open(page);
    await page.evaluate(() => navigator.serviceWorker.ready);
    // The network's part comes last.
    await expect
        .poll(
            () =>
                page.evaluate(async () =>
                    (await (await caches.open((await caches.keys())[0])).keys()).some(({ url }) =>
                        url.includes('training_bg'),
                    ),
                ),
            {
                timeout: 60_000,
            },
        )
        .toBe(true);
    await context.setOffline(true);
    await page.goto('?lang=ja');
    await expect(page.locator('#torch-42')).toHaveText('[2, 4, 6, 8]');
    await page.locator('#why').getByRole('button', { name: ja.why.start }).click();
    await expect(page.locator('#why').getByRole('status')).toContainText('エポック', { timeout: 60_000 });
    await page.getByRole('button', { name: ja.same.start }).click();
    await expect(page.locator('#same-bits')).toContainText('すべてが一致', { timeout: 60_000 });
});
