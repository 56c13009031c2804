// Puts the page together.

import { ready } from './core';
import { language, setLanguage, t, translated, type Language } from './i18n';
import { line } from './parts/line';
import { where } from './parts/where';
import { which } from './parts/which';
import { why } from './parts/why';
import { zoo } from './parts/zoo';
import { choice } from './ui/controls';
import { h, nextFrame, svg } from './ui/dom';
import { themeSwitch } from './ui/theme';

const parts = ['line', 'zoo', 'why', 'where', 'which'] as const;

function header(): HTMLElement {
    const languages = choice<Language>(
        () => t.languageLabel,
        [
            ['en', 'English'],
            ['ja', '日本語'],
        ],
        language,
        () => setLanguage(languages.value),
    );
    languages.element.classList.add('compact');
    const links = parts.map((part, index) =>
        h(
            'li',
            {},
            h('a', { href: `#${part}` }, h('span', { class: 'number' }, String(index + 1)), ' ', () => t.nav[part]),
        ),
    );
    return h(
        'header',
        {},
        h('nav', { 'aria-label': () => t.navigation }, h('ul', {}, ...links)),
        h('div', { class: 'settings' }, languages.element, themeSwitch()),
    );
}

function opening(): HTMLElement {
    return h(
        'div',
        { class: 'opening' },
        h(
            'h1',
            {},
            h('code', {}, 'drop = nn.Dropout(config.dropout)'),
            h('span', {}, () => t.title),
        ),
        h('p', { class: 'lead' }, () => t.intro),
        h('p', { class: 'privacy' }, lock(), () => t.privacy),
    );
}

const lock = () =>
    svg(
        'svg',
        { viewBox: '0 0 16 16', 'aria-hidden': 'true', class: 'lock' },
        svg('path', { d: 'M4 7V5a4 4 0 0 1 8 0v2M3 7h10v7H3z' }),
    );

translated(() => {
    document.documentElement.lang = language;
    document.title = t.documentTitle;
});

document.body.replaceChildren(
    h('a', { class: 'skip', href: '#line' }, () => t.skip),
    header(),
    h('main', {}, opening(), line(), zoo(), why(), where(), which()),
    h(
        'footer',
        {},
        h('p', {}, () => t.footer),
        // The book is beside the page where both are published.
        h('p', {}, h('a', { href: () => t.bookAddress }, () => t.book)),
    ),
);

// The browser looked for the part in the address before it was there. Parts 1 and 2 grow when the library has come.
if (location.hash) {
    const toPart = () => document.getElementById(location.hash.slice(1))?.scrollIntoView({ behavior: 'instant' });
    let scrolls = false;
    for (const type of ['wheel', 'touchmove', 'keydown', 'pointerdown']) {
        addEventListener(type, () => (scrolls = true), { once: true, passive: true });
    }
    toPart();
    void ready
        .catch(() => undefined)
        .then(nextFrame)
        .then(() => scrolls || toPart());
}

// A file that misses its place must not replace the page.
addEventListener('dragover', event => event.preventDefault());
addEventListener('drop', event => event.preventDefault());

if (import.meta.env.PROD && 'serviceWorker' in navigator) {
    addEventListener('load', async () => {
        try {
            await navigator.serviceWorker.register('./service-worker.js');
        } catch {
            return; // the page works without it
        }
        const { active } = await navigator.serviceWorker.ready;
        const connection = (navigator as { connection?: { saveData?: boolean } }).connection;
        if (!connection?.saveData) {
            // The rest of the page, several megabytes, when the reader has what is on the screen.
            setTimeout(() => active?.postMessage('keep all'), 3000);
        }
    });
}
