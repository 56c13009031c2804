// Light and dark. The style sheet follows `color-scheme`; this is the switch, and the colours for canvases.

import { t } from '../i18n';
import { button } from './controls';

const system = matchMedia('(prefers-color-scheme: dark)');
const listeners: (() => void)[] = [];

function stored(): string | null {
    try {
        return localStorage.getItem('theme');
    } catch {
        return null; // where storage is forbidden, the switch works until the page is closed
    }
}

let chosen = stored();

const isDark = () => (chosen ? chosen === 'dark' : system.matches);

function apply(): void {
    document.documentElement.style.colorScheme = chosen ?? 'light dark';
    colours.clear();
    listeners.forEach(show => show());
}

/** Runs whenever the colours change. */
export function onTheme(show: () => void): void {
    listeners.push(show);
}

export function themeSwitch(): HTMLElement {
    const toggle = button(
        () => t.theme,
        () => {
            chosen = isDark() ? 'light' : 'dark';
            try {
                localStorage.setItem('theme', chosen);
            } catch {
                // see above
            }
            apply();
        },
        'quiet',
    );
    const pressed = () => toggle.setAttribute('aria-pressed', String(isDark()));
    onTheme(pressed);
    system.addEventListener('change', apply);
    matchMedia('(forced-colors: active)').addEventListener('change', apply);
    apply();
    return toggle;
}

const colours = new Map<string, string>();

/** The colour of a custom property such as `--accent`, as canvases take it. */
export function colour(name: string): string {
    let value = colours.get(name);
    if (value === undefined) {
        const { style } = document.body;
        style.setProperty('forced-color-adjust', 'none'); // what a canvas shows is not forced
        style.outlineColor = `var(${name})`;
        value = getComputedStyle(document.body).outlineColor;
        style.outlineColor = '';
        style.removeProperty('forced-color-adjust');
        colours.set(name, value);
    }
    return value;
}

/** The same as red, green and blue, from 0 to 255. */
export function rgb(name: string): [number, number, number] {
    const [red, green, blue] = colour(name)
        .match(/[\d.]+/g)!
        .map(Number);
    return [red, green, blue];
}
