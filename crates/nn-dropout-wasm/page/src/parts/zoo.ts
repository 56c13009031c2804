// Part 2: every kind of dropout, side by side.

import { callOf, kinds, ready, type Call } from '../core';
import { t, translated } from '../i18n';
import { button, slider } from '../ui/controls';
import { float } from '../ui/numbers';
import { h, prefersStillness, setCode, setText } from '../ui/dom';
import { coloured, paint, repeated, SIDE, tint } from '../ui/picture';
import { colour, onTheme, rgb } from '../ui/theme';
import type { Strings } from '../i18n/en';

type Name = keyof Strings['zoo']['what'];

interface Card {
    name: Name;
    /** The library's kind of layer, and the options besides the amount. */
    kind: string;
    options?: string;
    /** What the layer takes instead of p, and how much of it at the slider's p. */
    amount?: { key: 'stddev' | 'alpha'; of(p: number): number };
    shape: number[];
    x: Float32Array<ArrayBuffer>;
    rust(amount: string): string;
    elsewhere(amount: string): string;
    /** An element to draw on. Words are elements of their own, all else is a canvas. */
    view: HTMLElement;
    draw(call: Call): void;
    /** Which elements are drawn, if not all are. */
    isDrawn?(at: number): boolean;
    /** What the picture shows, in numbers. */
    describe?(call: Call): string;
}

const canvas = () => h('canvas');

/** Smooth values between 0 and 1, like activations over time. */
function activations(rows: number, columns: number): Float32Array<ArrayBuffer> {
    const value = (row: number, column: number) =>
        0.5 + 0.4 * Math.sin(0.45 * column + 1.9 * row) * Math.cos(0.23 * column - 0.7 * row);
    return Float32Array.from({ length: rows * columns }, (_, i) => value(Math.floor(i / columns), i % columns));
}

/** Pictures side by side. Without `values`, what is kept is drawn as it was, so that colours stay comparable. */
function pictures(across: number, down: number, wholeSamples = false) {
    return (view: HTMLCanvasElement, x: Float32Array, call: Call, values?: Float32Array) => {
        const gap = across > 1 ? 2 : 0;
        const step = SIDE + gap;
        const dropped = rgb('--dropped');
        const surface = rgb('--surface');
        paint(view, across * step - gap, down * step - gap, (column, row) => {
            const [px, py] = [column % step, row % step];
            if (px >= SIDE || py >= SIDE) {
                return surface;
            }
            const sample = Math.floor(row / step) * across + Math.floor(column / step);
            const at = (channel: number) => ((sample * 3 + channel) * SIDE + py) * SIDE + px;
            if (wholeSamples && !call.kept[at(0)]) {
                return dropped;
            }
            const value = (channel: number) =>
                255 * (values ? values[at(channel)] : x[at(channel)] * call.kept[at(channel)]);
            return [value(0), value(1), value(2)];
        });
    };
}

/** A picture of the landscape, or several of them in a batch. */
function landscape(across: number, down: number, options: { noise?: boolean; wholeSamples?: boolean } = {}) {
    const x = repeated(coloured, across * down);
    const view = canvas();
    const show = pictures(across, down, options.wholeSamples);
    return {
        shape: [across * down, 3, SIDE, SIDE],
        x,
        view,
        draw: (call: Call) => show(view, x, call, options.noise ? call.y : undefined),
    };
}

/** A row for each feature, a column for each time step or token. The tensor has time before features. */
function heatMap(times: number, features: number, noise = false) {
    const x = activations(times, features);
    const view = canvas();
    const draw = (call: Call) =>
        paint(view, times, features, (time, feature) => {
            const at = time * features + feature;
            return tint(noise ? call.y[at] : x[at], call.kept[at] === 1);
        });
    return { x, view, draw };
}

/** Lines for channels. What is dropped lies flat. */
function signals(channels: number, length: number) {
    const x = activations(channels, length);
    const view = canvas();
    const draw = (call: Call) => {
        const context = prepared(view, 320, 160);
        const lane = 160 / channels;
        for (let channel = 0; channel < channels; channel++) {
            const kept = call.kept[channel * length] === 1;
            context.strokeStyle = colour(kept ? '--accent' : '--dropped');
            context.lineWidth = kept ? 2 : 1.5;
            context.setLineDash(kept ? [] : [5, 4]);
            context.beginPath();
            for (let at = 0; at < length; at++) {
                const value = kept ? x[channel * length + at] : 0.5;
                context.lineTo((320 * at) / (length - 1), lane * (channel + 0.92 - 0.84 * value));
            }
            context.stroke();
        }
    };
    return { x, view, draw };
}

/** A canvas of this size in CSS pixels, sharp on any screen. */
function prepared(view: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
    const density = Math.max(2, devicePixelRatio);
    view.width = width * density;
    view.height = height * density;
    const context = view.getContext('2d')!;
    context.scale(density, density);
    return context;
}

const words = 'the cat saw the dog and the dog saw the cat on the mat'.split(' ');
const vocabulary = [...new Set(words)];

/** The words of a sentence. `bit` is the number of the mask's bit that decides about a word. */
function sentence(bit: (position: number) => number) {
    const view = h('div', { class: 'words' }, ...words.map(word => h('span', {}, word)));
    const draw = (call: Call) =>
        Array.from(view.children).forEach((word, position) =>
            word.classList.toggle('dropped', !call.kept[bit(position)]),
        );
    return { view, draw };
}

/** Two layers of a network, and a line for each weight. */
function weights(inputs: number, outputs: number) {
    const view = canvas();
    const draw = (call: Call) => {
        const context = prepared(view, 320, 160);
        const place = (at: number, count: number) => (320 * (at + 0.5)) / count;
        for (const kept of [0, 1]) {
            context.strokeStyle = colour(kept ? '--accent' : '--dropped');
            context.lineWidth = kept ? 1.5 : 1;
            context.setLineDash(kept ? [] : [3, 4]);
            for (let weight = 0; weight < inputs * outputs; weight++) {
                if (call.kept[weight] === kept) {
                    context.beginPath();
                    context.moveTo(place(weight % inputs, inputs), 145);
                    context.lineTo(place(Math.floor(weight / inputs), outputs), 15);
                    context.stroke();
                }
            }
        }
        context.fillStyle = colour('--ink');
        for (const [count, y] of [
            [inputs, 145],
            [outputs, 15],
        ]) {
            for (let unit = 0; unit < count; unit++) {
                context.beginPath();
                context.arc(place(unit, count), y, 6, 0, 2 * Math.PI);
                context.fill();
            }
        }
    };
    return { view, draw };
}

/** Causal attention: the weights after the softmax of scores, some of which are minus infinity. */
function attention(tokens: number) {
    const x = activations(tokens, tokens).map(score => 4 * score);
    const view = canvas();
    const draw = (call: Call) => {
        const weight = (query: number, key: number) => {
            const scores = call.y.subarray(query * tokens, query * tokens + query + 1);
            const total = scores.reduce((sum, score) => sum + Math.exp(score), 0);
            return Math.exp(scores[key]) / total;
        };
        paint(view, tokens, tokens, (key, query) =>
            key > query ? rgb('--surface') : tint(1.6 * weight(query, key), call.kept[query * tokens + key] === 1),
        );
    };
    const isDrawn = (at: number) => at % tokens <= Math.floor(at / tokens);
    return { x, view, draw, isDrawn };
}

/** The attention weights of several heads, side by side. */
function heads(across: number, down: number, tokens: number) {
    const x = activations(across * down * tokens, tokens);
    const view = canvas();
    const step = tokens + 1;
    const draw = (call: Call) =>
        paint(view, across * step - 1, down * step - 1, (column, row) => {
            const [key, query] = [column % step, row % step];
            const head = Math.floor(row / step) * across + Math.floor(column / step);
            const at = (head * tokens + query) * tokens + key;
            return key === tokens || query === tokens ? rgb('--surface') : tint(x[at], call.kept[at] === 1);
        });
    return { x, view, draw };
}

/** How often values occur: before as a line, after as bars. */
function histogram() {
    const count = 8192;
    const bins = 56;
    const bin = (value: number) => Math.floor(((value + 3.5) / 7) * bins);
    // Numbers with a normal distribution: quantiles in place of random ones.
    const x = Float32Array.from({ length: count }, (_, i) => quantile((((i * 4093) % count) + 0.5) / count));
    const view = canvas();
    const counted = (values: Float32Array) => {
        const counts = new Uint32Array(bins);
        values.forEach(value => bin(value) >= 0 && bin(value) < bins && (counts[bin(value)] += 1));
        return counts;
    };
    const before = counted(x);
    const draw = (call: Call) => {
        const context = prepared(view, 320, 160);
        const after = counted(call.y);
        const most = Math.max(...before) * 1.6;
        const height = (value: number) => 150 * Math.min(value / most, 1);
        const width = 320 / bins;
        const mostDropped = call.kept.includes(0) ? bin(call.y[call.kept.indexOf(0)]) : -1;
        after.forEach((value, at) => {
            context.fillStyle = colour(at === mostDropped ? '--dropped' : '--accent');
            context.fillRect(at * width, 155 - height(value), width - 1, height(value));
        });
        context.strokeStyle = colour('--ink');
        context.lineWidth = 1.5;
        context.beginPath();
        before.forEach((value, at) => context.lineTo((at + 0.5) * width, 155 - height(value)));
        context.stroke();
    };
    const describe = ({ y }: Call) => {
        const mean = y.reduce((sum, value) => sum + value, 0) / count;
        const variance = y.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count;
        return t.zoo.moments((Math.abs(mean) < 0.005 ? 0 : mean).toFixed(2), Math.sqrt(variance).toFixed(2));
    };
    return { shape: [count], x, view, draw, describe };
}

/** About the quantile of the normal distribution: its distribution function is nearly a logistic one. Found by bisection. */
function quantile(share: number): number {
    let [low, high] = [-5, 5];
    for (let i = 0; i < 40; i++) {
        const middle = (low + high) / 2;
        const below = 1 / (1 + Math.exp(-(1.5976 * middle + 0.07056 * middle ** 3)));
        [low, high] = below < share ? [middle, high] : [low, middle];
    }
    return low;
}

function cards(): Card[] {
    return [
        {
            name: 'dropout',
            kind: 'dropout',
            ...landscape(1, 1),
            rust: p => `Dropout::new(${p})?`,
            elsewhere: p => `torch.nn.Dropout(${p})`,
        },
        {
            name: 'dropout2d',
            kind: 'dropout2d',
            ...landscape(3, 2),
            rust: p => `Dropout2d::new(${p})?`,
            elsewhere: p => `torch.nn.Dropout2d(${p})`,
        },
        {
            name: 'dropBlock2d',
            kind: 'drop-block2d',
            options: 'block_size = 5',
            ...landscape(1, 1),
            rust: p => `DropBlock2d::new(${p})?.with_block_size(5)?`,
            elsewhere: p => `torchvision.ops.DropBlock2d(${p}, 5)`,
        },
        {
            name: 'dropPath',
            kind: 'drop-path',
            ...landscape(3, 2, { wholeSamples: true }),
            rust: p => `DropPath::new(${p})?`,
            elsewhere: p => `timm.layers.DropPath(${p})`,
        },
        {
            name: 'tokenDropout',
            kind: 'token-dropout',
            shape: [1, words.length, 1],
            x: new Float32Array(words.length).fill(1),
            ...sentence(position => position),
            rust: p => `TokenDropout::new(${p})?`,
            elsewhere: p => `nn_dropout.torch.TokenDropout(${p})`,
        },
        {
            name: 'embeddingDropout',
            kind: 'embedding-dropout',
            shape: [vocabulary.length, 1],
            x: new Float32Array(vocabulary.length).fill(1),
            ...sentence(position => vocabulary.indexOf(words[position])),
            rust: p => `EmbeddingDropout::new(${p})?`,
            elsewhere: p => `fastai: EmbeddingDropout(emb, ${p})`,
        },
        {
            name: 'elements',
            kind: 'dropout',
            shape: [1, 24, 12],
            ...heatMap(24, 12),
            rust: p => `Dropout::new(${p})?`,
            elsewhere: p => `torch.nn.Dropout(${p})`,
        },
        {
            name: 'locked',
            kind: 'dropout',
            options: 'shared_axes = [1]',
            shape: [1, 24, 12],
            ...heatMap(24, 12),
            rust: p => `LockedDropout::new(${p}, &[1])?`,
            elsewhere: p => `fastai: RNNDropout(${p})`,
        },
        {
            name: 'dropout1d',
            kind: 'dropout1d',
            shape: [1, 6, 64],
            ...signals(6, 64),
            rust: p => `Dropout1d::new(${p})?`,
            elsewhere: p => `torch.nn.Dropout1d(${p})`,
        },
        {
            name: 'dropConnect',
            kind: 'drop-connect',
            shape: [5, 7],
            x: new Float32Array(35).fill(1),
            ...weights(7, 5),
            rust: p => `DropConnect::new(${p})?`,
            elsewhere: p => `fastai: WeightDropout(module, ${p})`,
        },
        {
            name: 'dropKey',
            kind: 'drop-key',
            shape: [1, 16, 16],
            ...attention(16),
            rust: p => `DropKey::new(${p})?`,
            elsewhere: p => `nn_dropout.torch.DropKey(${p})`,
        },
        {
            name: 'heads',
            kind: 'dropout',
            options: 'shared_axes = [2, 3]',
            shape: [1, 8, 8, 8],
            ...heads(4, 2, 8),
            rust: p => `LockedDropout::new(${p}, &[2, 3])?`,
            elsewhere: p => `nn_dropout.torch.LockedDropout(${p}, (2, 3))`,
        },
        {
            name: 'alphaDropout',
            kind: 'alpha-dropout',
            ...histogram(),
            rust: p => `AlphaDropout::new(${p})?`,
            elsewhere: p => `torch.nn.AlphaDropout(${p})`,
        },
        {
            name: 'gaussianDropout',
            kind: 'gaussian-dropout',
            ...landscape(1, 1, { noise: true }),
            rust: p => `GaussianDropout::new(${p})?`,
            elsewhere: p => `keras.layers.GaussianDropout(${p})`,
        },
        {
            name: 'gaussianNoise',
            kind: 'gaussian-noise',
            amount: { key: 'stddev', of: p => p },
            ...landscape(1, 1, { noise: true }),
            rust: stddev => `GaussianNoise::new(${stddev})?`,
            elsewhere: stddev => `keras.layers.GaussianNoise(${stddev})`,
        },
        {
            name: 'neftuneNoise',
            kind: 'neftune-noise',
            amount: { key: 'alpha', of: p => 10 * p },
            shape: [1, 24, 12],
            ...heatMap(24, 12, true),
            rust: alpha => `NeftuneNoise::new(${alpha})?`,
            elsewhere: alpha => `trl.SFTConfig(neftune_noise_alpha=${alpha})`,
        },
    ];
}

export function zoo(): HTMLElement {
    const p = slider(
        () => t.zoo.p,
        { min: 0, max: 0.95, step: 0.05, value: 0.3 },
        value => value.toFixed(2),
        show,
    );
    const number = h('span', { class: 'call-number' });
    let step = 0;
    let timer: ReturnType<typeof setInterval> | undefined;

    const shown = cards().map(card => {
        const rust = h('code');
        const elsewhere = h('code');
        const note = h('p', { class: 'note' });
        card.view.setAttribute('role', 'img');
        const element = h(
            'li',
            { class: 'card' },
            h('h3', {}, () => t.zoo.names[card.name]),
            h('div', { class: `view ${card.view.tagName.toLowerCase()}` }, card.view),
            h(
                'div',
                {},
                h('p', {}, () => t.zoo.what[card.name]),
                note,
            ),
            h('p', { class: 'names' }, rust, elsewhere),
        );
        const show = () => {
            const amount = String(Number((card.amount?.of(p.value) ?? p.value).toFixed(2)));
            // A line may end before a method, and between arguments.
            setCode(rust, card.rust(float(amount)), /(?=\.with)|(?<=, )/);
            setCode(elsewhere, card.elsewhere(amount), /(?<=[ (])/);
            const config = `kind = "${card.kind}"\n${card.amount?.key ?? 'p'} = ${amount}\n${card.options ?? ''}`;
            const call = callOf(config, card.shape, card.x, step);
            card.draw(call);
            const isDrawn = card.isDrawn ?? (() => true);
            const kept = call.kept.filter((_, at) => isDrawn(at));
            const lost = kept.reduce((count, kept) => count + (kept ? 0 : 1), 0) / kept.length;
            const said = card.describe?.(call) ?? '';
            setText(note, said);
            card.view.setAttribute(
                'aria-label',
                `${t.zoo.names[card.name]}: ${said || t.zoo.share(Math.round(100 * lost))}`,
            );
        };
        return { element, show, kind: card.kind };
    });

    let isReady = false;
    function show(): void {
        if (isReady) {
            number.textContent = t.zoo.call(step);
            shown.forEach(card => card.show());
        }
    }

    const play = button(
        () => (timer ? t.pause : t.play),
        () => {
            if (timer) {
                clearInterval(timer);
                timer = undefined;
            } else {
                // Without motion the pictures still change, but seldom.
                timer = setInterval(next, prefersStillness.matches ? 3000 : 700);
                next();
            }
            setText(play.firstElementChild!, timer ? t.pause : t.play);
        },
    );
    function next(): void {
        step += 1;
        show();
    }

    const others = h('p', { class: 'others' });
    const begin = () => {
        isReady = true;
        const all: { name: string }[] = JSON.parse(kinds());
        const here = new Set(shown.map(card => card.kind));
        const rest = all.map(kind => kind.name).filter(name => !here.has(name));
        translated(() =>
            setText(
                others,
                t.zoo.others(
                    all.length,
                    rest.map(name => `\`${name}\``),
                ),
            ),
        );
        translated(show);
        onTheme(show);
    };
    ready.then(begin, () => undefined);

    return h(
        'section',
        { id: 'zoo', 'aria-labelledby': 'zoo-title' },
        h('h2', { id: 'zoo-title' }, h('span', { class: 'number' }, '2'), () => t.zoo.title),
        h('p', { class: 'lead' }, () => t.zoo.lead),
        h(
            'div',
            { class: 'toolbar' },
            p.element,
            h(
                'div',
                { class: 'buttons' },
                button(() => t.nextCall, next, 'primary'),
                play,
                number,
            ),
        ),
        h('p', { class: 'note' }, () => t.zoo.unscaled),
        h('ul', { class: 'cards' }, ...shown.map(card => card.element)),
        others,
    );
}
