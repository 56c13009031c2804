// Makes elements, in a line or two.

import { translated } from '../i18n';

/** A text, or one that depends on the language. */
export type Text = string | (() => string);

export type Child = Node | Text;

type Properties = Record<string, Text | number | boolean | undefined | ((event: never) => void)>;

/**
 * An element. `onclick` and the like are listeners; all other properties are attributes. Texts between backticks become code.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
    tag: K,
    properties: Properties = {},
    ...children: Child[]
): HTMLElementTagNameMap[K] {
    return filled(document.createElement(tag), properties, children);
}

/** An element of an SVG. */
export function svg<K extends keyof SVGElementTagNameMap>(
    tag: K,
    properties: Properties = {},
    ...children: Child[]
): SVGElementTagNameMap[K] {
    return filled(document.createElementNS('http://www.w3.org/2000/svg', tag), properties, children);
}

function filled<E extends Element>(element: E, properties: Properties, children: Child[]): E {
    for (const [name, value] of Object.entries(properties)) {
        if (name.startsWith('on')) {
            element.addEventListener(name.slice(2), value as EventListener);
        } else if (typeof value === 'function') {
            translated(() => element.setAttribute(name, (value as () => string)()));
        } else if (typeof value === 'boolean') {
            element.toggleAttribute(name, value);
        } else if (value !== undefined) {
            element.setAttribute(name, String(value));
        }
    }
    element.append(...children.map(child => node(child, element instanceof SVGElement ? 'tspan' : 'span')));
    return element;
}

function node(child: Child, holder: 'span' | 'tspan'): Node {
    if (child instanceof Node) {
        return child;
    }
    if (typeof child === 'string') {
        return document.createTextNode(child);
    }
    const text = holder === 'span' ? h('span') : svg('tspan');
    translated(() => setText(text, child()));
    return text;
}

/**
 * Replaces what is in an element by a text, in which code stands between backticks. Formulas are kept on one line. The same
 * text is left as it is: a screen reader would say it again.
 */
export function setText(element: Element, text: string): void {
    const parts = text.split(/(`[^`]*`|1\/\(1 − [^)]*\)(?: = [\d.]+)?)/);
    const next = element.cloneNode() as Element;
    next.append(
        ...parts.map((part, index) => {
            if (index % 2 === 0) {
                return part;
            }
            const isCode = part.startsWith('`');
            const inner = document.createElement(isCode ? 'code' : 'span');
            inner.textContent = isCode ? part.slice(1, -1) : part;
            inner.classList.toggle('formula', !isCode);
            return inner;
        }),
    );
    if (next.innerHTML !== element.innerHTML) {
        element.replaceChildren(...next.childNodes);
    }
}

/** The same for a text in which backticks mean nothing, such as the name of a file. */
export function setPlain(element: Element, text: string): void {
    if (element.textContent !== text) {
        element.textContent = text;
    }
}

/** Replaces what is in an element by a line of code that may be broken at `at`, and rather not elsewhere. */
export function setCode(element: Element, code: string, at: RegExp): void {
    const parts = code.split(at).map(part => h('span', { class: 'unbroken' }, part));
    element.replaceChildren(...parts.flatMap((part, index) => (index === 0 ? [part] : [h('wbr'), part])));
}

let count = 0;

/** An id that no other element has. */
export function newId(): string {
    count += 1;
    return `id-${count}`;
}

export function download(name: string, type: string, content: string): void {
    const address = URL.createObjectURL(new Blob([content], { type }));
    h('a', { href: address, download: name }).click();
    URL.revokeObjectURL(address);
}

export const prefersStillness = matchMedia('(prefers-reduced-motion: reduce)');

export const nextFrame = (): Promise<number> => new Promise(requestAnimationFrame);
