// What all tests share: a page that has nothing to complain about, and a few ways to look at it.

import { expect, test as base, type Locator, type Page } from '@playwright/test';

/** A test fails if the page says anything on the console. */
export const test = base.extend<{ complaints: string[] }>({
    complaints: [
        async ({ page }, use) => {
            const complaints: string[] = [];
            page.on('console', message => {
                if (['error', 'warning', 'assert'].includes(message.type())) {
                    complaints.push(message.text());
                }
            });
            page.on('pageerror', error => complaints.push(error.message));
            await use(complaints);
            expect(complaints).toEqual([]);
        },
        { auto: true },
    ],
});

export { expect };

export async function open(page: Page, address = '?lang=en'): Promise<void> {
    await page.goto(address);
    await expect(page.locator('#torch-42')).toHaveText('[2, 4, 6, 8]');
}

/** What is on a canvas, to compare. */
export const drawn = (canvas: Locator): Promise<string> =>
    canvas.evaluate(element => (element as HTMLCanvasElement).toDataURL());

export const isBlank = (canvas: Locator): Promise<boolean> =>
    canvas.evaluate(element => {
        const { width, height } = element as HTMLCanvasElement;
        const { data } = (element as HTMLCanvasElement).getContext('2d')!.getImageData(0, 0, width, height);
        const first = data.slice(0, 4).join();
        return Array.from({ length: data.length / 4 }, (_, i) => data.slice(4 * i, 4 * i + 4).join()).every(
            pixel => pixel === first,
        );
    });

/** Moves a slider as a person with a keyboard does. */
export async function slide(slider: Locator, key: string, times = 1): Promise<void> {
    await slider.focus();
    for (let time = 0; time < times; time++) {
        await slider.press(key);
    }
}

export async function saved(page: Page, button: Locator): Promise<{ name: string; text: string }> {
    const [file] = await Promise.all([page.waitForEvent('download'), button.click()]);
    const chunks: Buffer[] = [];
    for await (const chunk of await file.createReadStream()) {
        chunks.push(chunk as Buffer);
    }
    return { name: file.suggestedFilename(), text: Buffer.concat(chunks).toString() };
}

/** Writes down how far things on the page move without a reason. */
export const watchShifts = (page: Page): Promise<unknown> =>
    page.addInitScript(() => {
        const shifts: number[] = [];
        new PerformanceObserver(list => {
            const entries = list.getEntries() as (PerformanceEntry & { value: number; hadRecentInput: boolean })[];
            shifts.push(...entries.filter(entry => !entry.hadRecentInput).map(entry => entry.value));
        }).observe({ type: 'layout-shift', buffered: true });
        Object.assign(window, { shifts });
    });

export const shifts = (page: Page): Promise<number[]> =>
    page.evaluate(() => (window as unknown as { shifts: number[] }).shifts);
