// What happens to a reader when a new build takes the place of an old one.

import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, open, test } from './page';
import type { Page } from '@playwright/test';

const port = 4174;
const address = `http://localhost:${port}/nn-dropout/?lang=en`;
const built = fileURLToPath(new URL('../../../../target/page/', import.meta.url));

let folder: string;
let server: ChildProcess;

async function serve(): Promise<void> {
    server = spawn('node', [fileURLToPath(new URL('server.mjs', import.meta.url)), String(port), folder]);
    await expect.poll(() => fetch(address).then(({ ok }) => ok, () => false)).toBe(true);
}

/** Another build: all names that are made of a file's content are other names. */
function deploy(): void {
    server.kill();
    const assets = join(folder, 'assets');
    const names = readdirSync(assets);
    const renamed = (name: string) => name.replace(/-.{8}\./, '-RENAMED0.');
    for (const name of [...names.map(name => join('assets', name)), 'index.html', 'service-worker.js']) {
        if (/\.(js|html)$/.test(name)) {
            const text = readFileSync(join(folder, name), 'utf8');
            const changed = names.reduce((text, name) => text.replaceAll(name, renamed(name)), text);
            writeFileSync(join(folder, name), changed.replace(/nn-dropout-[0-9a-f]{16}/, 'nn-dropout-another'));
        }
    }
    names.forEach(name => renameSync(join(assets, name), join(assets, renamed(name))));
}

const builds = (page: Page) => page.evaluate(async () => (await caches.keys()).length);
const script = (page: Page) => page.locator('script[src]').getAttribute('src');

test.beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'page-'));
    cpSync(built, folder, { recursive: true });
    await serve();
});

test.afterEach(() => {
    server.kill();
    rmSync(folder, { recursive: true });
});

test('a page that is open keeps its files, and the next one is new', async ({ page, context }) => {
    await open(page, address);
    await page.evaluate(() => navigator.serviceWorker.ready);
    await expect.poll(() => page.evaluate(() => navigator.serviceWorker.controller !== null)).toBe(true);
    const old = await script(page);
    // So that the network's part is kept, as three seconds after each visit.
    await expect
        .poll(() => page.evaluate(async () => (await (await caches.open((await caches.keys())[0])).keys()).length), {
            timeout: 30_000,
        })
        .toBe(9);

    deploy();
    await serve();
    await page.evaluate(async () => (await navigator.serviceWorker.ready).update());
    await expect.poll(() => builds(page)).toBe(2);
    await expect
        .poll(() =>
            page.evaluate(async () => {
                const { active, waiting, installing } = await navigator.serviceWorker.ready;
                return active?.state === 'activated' && !waiting && !installing;
            }),
        )
        .toBe(true);

    // From now on the server, or what the service worker kept.
    await (await context.newCDPSession(page)).send('Network.clearBrowserCache');
    // The old page loads the worker, the library and the charts only now: its own, which the server has no more.
    await page.locator('#why').getByRole('button', { name: 'Train' }).click();
    await expect(page.locator('#why').getByRole('status')).toContainText('Epoch', { timeout: 30_000 });
    await expect(page.locator('#why .uplot')).toHaveCount(2);

    const next = await context.newPage();
    await open(next, address);
    expect(await script(next)).toContain('RENAMED0');
    expect(await script(next)).not.toBe(old);
    expect(await builds(next)).toBe(2);

    // Once no page of the old build is open, its files go.
    await page.close();
    await next.close();
    const last = await context.newPage();
    await open(last, address);
    await expect.poll(() => builds(last)).toBe(1);
    await context.setOffline(true);
    await open(last, `${address}&again`);
    await last.goto(address.replace('?', 'index.html?'));
    await expect(last.locator('#torch-42')).toHaveText('[2, 4, 6, 8]');
});
