import { readFileSync } from 'node:fs';
import { expect, open, test } from './page';

interface Case {
    sha256: { f32: string };
}

const vectors = readFileSync(new URL('../../../../test_vectors/vectors.json', import.meta.url), 'utf8');
const cases: Case[] = JSON.parse(vectors);

test('all cases of the list give the same bits', async ({ page }) => {
    await open(page);
    await page.getByRole('button', { name: 'Check this browser' }).click();
    const all = `All ${cases.length} cases give the same bits here (kernel: simd128).`;
    await expect(page.locator('#same-bits')).toHaveText(all, { timeout: 60_000 });
    await expect(page.getByRole('button', { name: 'Check this browser' })).toBeFocused();
});

test('a hash that differs is noticed', async ({ page }) => {
    const changed = structuredClone(cases);
    const { sha256 } = changed[7];
    sha256.f32 = sha256.f32.replace(/^./, first => (first === '0' ? '1' : '0'));
    // The service worker fetches the list too, so it is changed for all.
    await page.context().route('**/vectors*.json', route => route.fulfill({ json: changed }));
    await open(page);
    await page.getByRole('button', { name: 'Check this browser' }).click();
    const only = `Only ${cases.length - 1} of ${cases.length} cases`;
    await expect(page.locator('#same-bits')).toContainText(only, { timeout: 60_000 });
});
