// Labelled sliders, choices, fields and buttons.

import { h, newId, setText, type Child, type Text } from './dom';
import { translated } from '../i18n';

export interface Control<T> {
    element: HTMLElement;
    value: T;
}

/** A slider, with its value beside the label. */
export function slider(
    label: Text,
    range: { min: number; max: number; step: number; value: number },
    show: (value: number) => string,
    changed: () => void,
): Control<number> {
    const id = newId();
    const input = h('input', { id, type: 'range', ...range, oninput: () => (shown(), changed()) });
    // Screen readers have it from the slider.
    const output = h('span', { class: 'value', 'aria-hidden': 'true' });
    const shown = () => {
        output.textContent = show(input.valueAsNumber);
        input.setAttribute('aria-valuetext', show(input.valueAsNumber));
        // For the part of the track up to the handle.
        input.style.setProperty('--filled', `${(100 * (input.valueAsNumber - range.min)) / (range.max - range.min)}%`);
    };
    translated(shown);
    return {
        element: h(
            'div',
            { class: 'control slider' },
            h('div', { class: 'row' }, h('label', { for: id }, label), output),
            input,
        ),
        get value() {
            return input.valueAsNumber;
        },
        set value(value) {
            input.valueAsNumber = value;
            shown();
        },
    };
}

/** Radio buttons, drawn as one bar. */
export function choice<T extends string>(
    label: Text,
    options: [value: T, label: Text][],
    value: T,
    changed: () => void,
): Control<T> {
    const name = newId();
    const inputs = options.map(([option]) =>
        h('input', { type: 'radio', name, value: option, checked: option === value, onchange: changed }),
    );
    const bar = h(
        'div',
        { class: 'bar' },
        ...inputs.map((input, index) => h('label', {}, input, h('span', {}, options[index][1]))),
    );
    return {
        element: h('fieldset', { class: 'control choice' }, h('legend', {}, label), bar),
        get value() {
            return inputs.find(input => input.checked)!.value as T;
        },
        set value(value) {
            inputs.forEach(input => (input.checked = input.value === value));
        },
    };
}

export interface Field extends Control<string> {
    input: HTMLInputElement;
    /** Says what is wrong with the value: '' if nothing is. */
    complain(wrong: string): void;
}

/** A field of one line. */
export function field(
    label: Text,
    value: string,
    changed: () => void,
    options: { numeric?: boolean; hint?: Text } = {},
): Field {
    const id = newId();
    const input = h('input', {
        id,
        type: 'text',
        value,
        inputmode: options.numeric ? 'numeric' : undefined,
        autocomplete: 'off',
        spellcheck: 'false',
        'aria-describedby': options.hint ? `${id}-hint ${id}-wrong` : `${id}-wrong`,
        oninput: changed,
    });
    const hint = options.hint ? [h('small', { id: `${id}-hint` }, options.hint)] : [];
    const complaint = h('small', { id: `${id}-wrong`, class: 'wrong', role: 'alert' });
    return {
        element: h('div', { class: 'control field' }, h('label', { for: id }, label), input, ...hint, complaint),
        input,
        complain(wrong) {
            input.setAttribute('aria-invalid', String(wrong !== ''));
            setText(complaint, wrong);
        },
        get value() {
            return input.value;
        },
        set value(value) {
            input.value = value;
        },
    };
}

export function select(label: Text, changed: () => void): Control<string> & { options(names: string[]): void } {
    const id = newId();
    const list = h('select', { id, onchange: changed });
    return {
        element: h('div', { class: 'control field' }, h('label', { for: id }, label), list),
        options: names => list.replaceChildren(...names.map(name => h('option', { value: name }, name))),
        get value() {
            return list.value;
        },
        set value(value) {
            list.value = value;
        },
    };
}

export function checkbox(label: Text, changed: () => void): Control<boolean> {
    const input = h('input', { type: 'checkbox', onchange: changed });
    return {
        element: h('label', { class: 'control checkbox' }, input, h('span', {}, label)),
        get value() {
            return input.checked;
        },
        set value(value) {
            input.checked = value;
        },
    };
}

export function button(label: Child, clicked: () => void, kind = ''): HTMLButtonElement {
    return h('button', { type: 'button', class: kind, onclick: clicked }, label);
}
