// The language of the page. Every text is a function, and runs again when the language changes.

import { en, type Strings } from './en';
import { ja } from './ja';

export type Language = 'en' | 'ja';

const languages: Record<Language, Strings> = { en, ja };
const listeners: (() => void)[] = [];

export let language: Language = fromAddress() ?? (navigator.language.startsWith('ja') ? 'ja' : 'en');
export let t: Strings = languages[language];

function fromAddress(): Language | undefined {
    const name = new URLSearchParams(location.search).get('lang');
    return name === 'en' || name === 'ja' ? name : undefined;
}

/** Runs now, and whenever the language changes. */
export function translated(show: () => void): void {
    listeners.push(show);
    show();
}

export function setLanguage(next: Language): void {
    language = next;
    t = languages[next];
    const address = new URL(location.href);
    address.searchParams.set('lang', next);
    history.replaceState(null, '', address);
    listeners.forEach(show => show());
}
