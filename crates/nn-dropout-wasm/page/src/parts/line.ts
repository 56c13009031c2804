// Part 1: what the line does to a tensor.

import { callNext, callOf, check_case, kernel, Layer, ready, type Call, type Rng } from '../core';
import { t, translated } from '../i18n';
import { button, choice, field, slider } from '../ui/controls';
import { h, nextFrame, prefersStillness, setText } from '../ui/dom';
import { exact, float, short } from '../ui/numbers';
import { grey, paintGrey, SIDE } from '../ui/picture';
import { onTheme } from '../ui/theme';
import vectors from '../../../../../test_vectors/vectors.json?url';

const LARGEST = 64;
const STEPS = 100_000;

interface Tensor {
    x: Float32Array<ArrayBuffer>;
    shape: number[];
}

/** Numbers with spaces or commas between them, and semicolons between rows. */
function parse(text: string): Tensor | undefined {
    const rows = text.split(';').map(row =>
        row
            .split(/[\s,]+/)
            .filter(Boolean)
            .map(Number),
    );
    const x = Float32Array.from(rows.flat());
    const ok =
        x.length > 0 &&
        x.length <= LARGEST &&
        x.every(Number.isFinite) &&
        rows.every(row => row.length === rows[0].length);
    return ok ? { x, shape: rows.length > 1 ? [rows.length, rows[0].length] : [x.length] } : undefined;
}

const small = '1 2 3 4';
const large = Array.from({ length: 4 }, (_, row) =>
    Array.from({ length: 8 }, (_, column) => row + column + 1).join(' '),
).join('; ');

const list = (values: Iterable<number>) => `[${Array.from(values, short).join(', ')}]`;

export function line(): HTMLElement {
    const p = slider(
        () => 'p',
        { min: 0, max: 1, step: 0.01, value: 0.5 },
        value => value.toFixed(2),
        restart,
    );
    const mode = choice<'train' | 'eval'>(
        () => t.line.mode,
        [
            ['train', () => t.line.training],
            ['eval', () => t.line.eval],
        ],
        'train',
        restart,
    );
    const rng = choice<Rng>(
        () => t.line.masks,
        [
            ['philox', () => t.line.ours],
            ['torch', 'PyTorch'],
            ['jax', 'JAX'],
        ],
        'philox',
        restart,
    );
    const seed = field(() => t.line.seed, '42', restart, { numeric: true });
    const step = field(() => t.line.step, '0', restart, { numeric: true });
    const input = field(() => t.line.input, small, restart, { hint: () => t.line.inputHint });
    const kind = choice<'small' | 'large' | 'picture'>(
        () => t.line.tensor,
        [
            ['small', () => t.line.four],
            ['large', '4 × 8'],
            ['picture', () => t.line.picture],
        ],
        'small',
        () => {
            input.value = { small, large, picture: '' }[kind.value];
            restart();
        },
    );

    const problem = h('p', { class: 'problem', role: 'alert' });
    const stage = h('div', { class: 'stage' });
    const summary = h('p', { class: 'summary', role: 'status' });
    const means = h('div', { class: 'means' });
    const meanSummary = h('p', { class: 'summary', role: 'status' });
    const code = h('code');

    let tensor: Tensor = parse(small)!;
    let layer: Layer | undefined;
    let call: Call = { kept: new Uint8Array(0), y: new Float32Array(0) };
    let sum = new Float64Array(0);
    let calls = 0;
    /** Counts restarts, so that calls which are still running stop. */
    let run = 0;
    /** Why the library did not load. */
    let failure: Error | undefined;

    /** The tensor that the controls describe, or undefined if one of them is wrong. */
    function check(): Tensor | undefined {
        const isPicture = kind.value === 'picture';
        input.input.disabled = isPicture;
        const parsed = isPicture ? { x: grey, shape: [SIDE, SIDE] } : parse(input.value);
        const isSeed = /^\d{1,20}$/.test(seed.value) && BigInt(seed.value) < 1n << 64n;
        const isStep = /^\d{1,6}$/.test(step.value) && Number(step.value) <= STEPS;
        input.complain(parsed ? '' : t.line.badInput(LARGEST));
        seed.complain(isSeed ? '' : t.line.badSeed);
        step.complain(isStep ? '' : t.line.badStep(STEPS));
        setText(problem, failure ? t.failed(failure.message) : '');
        return isSeed && isStep ? parsed : undefined;
    }

    /** Makes the call that the controls describe. */
    function restart(): void {
        run += 1;
        const next = check();
        if (!next) {
            return;
        }
        tensor = next;
        layer?.free();
        layer = undefined;
        ready.then(
            () => {
                layer ??= newLayer();
                forward();
                sum = Float64Array.from(call.y);
                calls = 1;
                show();
            },
            (error: Error) => {
                failure = error;
                check();
            },
        );
    }

    function newLayer(): Layer {
        const made = new Layer(
            `kind = "dropout"\np = ${p.value}`,
            rng.value,
            BigInt(seed.value),
            Uint32Array.from(tensor.shape),
            Number(step.value),
        );
        if (mode.value === 'eval') {
            made.eval();
        }
        return made;
    }

    function forward(): void {
        call = callNext(layer!, tensor.x);
    }

    /** The next `count` calls. Many of them are drawn in the course of a second. */
    async function more(count: number): Promise<void> {
        if (!layer) {
            return;
        }
        const mine = ++run;
        const frames = prefersStillness.matches ? 1 : Math.min(count, 40);
        for (let frame = 0; frame < frames; frame++) {
            const until = Math.round((count * (frame + 1)) / frames);
            for (let done = Math.round((count * frame) / frames); done < until; done++) {
                forward();
                call.y.forEach((y, i) => (sum[i] += y));
                calls += 1;
                if (mode.value === 'train') {
                    step.value = String(Math.min(Number(step.value) + 1, STEPS));
                }
            }
            for (const element of [summary, meanSummary]) {
                element.setAttribute('aria-busy', String(frame < frames - 1)); // so that only the last one is read out
            }
            show();
            await nextFrame();
            if (mine !== run) {
                return;
            }
        }
    }

    function show(): void {
        const { x, shape } = tensor;
        const dropped = call.kept.reduce((count, kept) => count + (kept ? 0 : 1), 0);
        const mean = Float32Array.from(sum, value => value / calls);
        const furthest = mean.reduce((far, value, i) => Math.max(far, Math.abs(value - x[i])), 0);
        if (kind.value === 'picture') {
            showPictures(mean);
        } else {
            showCells(x, shape);
            showBars(x, mean);
        }
        const isOn = mode.value === 'train';
        setText(summary, isOn ? t.line.summary(dropped, x.length, p.value) : t.line.evalSummary);
        setText(meanSummary, t.line.meanSummary(calls, short(furthest)));
        code.textContent = program();
    }

    function program(): string {
        const floats = Array.from(tensor.x, value => float(exact(value))).join(', ');
        const x =
            kind.value === 'picture' ? 'picture' : rng.value === 'torch' ? `torch.tensor([${floats}])` : `[${floats}]`;
        const number =
            Number(step.value) > 0 && mode.value === 'train' ? ` # ${t.line.callNumber(Number(step.value))}` : '';
        if (rng.value === 'torch') {
            const off = mode.value === 'eval' ? '.eval()' : '';
            return `torch.manual_seed(${seed.value})\ndrop = torch.nn.Dropout(${p.value})${off}\ndrop(${x})${number}`;
        }
        const off = mode.value === 'eval' ? '\ndrop.eval();' : '';
        const mut = off ? 'mut ' : '';
        return `let ${mut}drop = Dropout::with_generator(${float(String(p.value))}, &Generator::${rng.value}(${seed.value}))?;${off}\ndrop.forward(${x});${number.replace('#', '//')}`;
    }

    function showCells(x: Float32Array, shape: number[]): void {
        const columns = shape.at(-1)!;
        const cells = Array.from(x, (value, i) =>
            h(
                'td',
                { class: call.kept[i] ? 'cell' : 'cell dropped' },
                h('span', { class: 'x' }, exact(value)),
                h('span', { class: 'y' }, short(call.y[i])),
            ),
        );
        const rows = Array.from({ length: x.length / columns }, (_, row) =>
            h('tr', {}, ...cells.slice(row * columns, (row + 1) * columns)),
        );
        stage.replaceChildren(
            h(
                'table',
                { class: x.length > 8 ? 'cells dense' : 'cells' },
                h('caption', {}, t.line.cells),
                h('tbody', {}, ...rows),
            ),
        );
    }

    /** A bar for each element's mean, and a line where the input is. */
    function showBars(x: Float32Array, mean: Float32Array): void {
        const top = 2 * Math.max(...x.map(Math.abs), 1e-9);
        const hasNegative = x.some(value => value < 0);
        const share = (value: number) => (hasNegative ? (value / top + 1) / 2 : value / top);
        const place = (value: number) => `${100 * Math.min(Math.max(share(value), 0), 1)}%`;
        const bars = Array.from(mean, (value, i) => {
            const bar = h('span', { class: 'bar' }, h('i'), h('b'));
            const [low, high] = [Math.min(value, 0), Math.max(value, 0)];
            const fill = bar.firstElementChild as HTMLElement;
            fill.style.bottom = place(low);
            fill.style.top = `calc(100% - ${place(high)})`;
            (bar.lastElementChild as HTMLElement).style.bottom = place(x[i]);
            const label = x.length <= 8 ? [h('small', {}, value.toFixed(2))] : [];
            return h('div', {}, bar, ...label);
        });
        means.replaceChildren(
            h('div', { class: 'bars', role: 'img', 'aria-label': t.line.bars(list(mean), list(x)) }, ...bars),
            h('p', { class: 'note' }, t.line.barsNote),
        );
    }

    function showPictures(mean: Float32Array): void {
        const picture = (name: string, values: Float32Array, kept?: Uint8Array) => {
            const canvas = h('canvas', { role: 'img', 'aria-label': name });
            paintGrey(canvas, values, kept);
            return h('figure', {}, canvas, h('figcaption', {}, name));
        };
        stage.replaceChildren(
            h(
                'div',
                { class: 'pictures' },
                picture(t.line.pictureInput, tensor.x),
                picture(t.line.pictureOutput, call.y, call.kept),
            ),
        );
        means.replaceChildren(h('div', { class: 'pictures' }, picture(t.line.pictureMean(calls), mean)));
    }

    restart();
    translated(() => {
        check();
        if (layer) {
            show();
        }
    });
    onTheme(() => layer && show());

    const nextCall = button(
        () => t.nextCall,
        () => void more(1),
        'primary',
    );
    const counts = [10, 100, 1000].map(count =>
        button(
            () => t.line.calls(count),
            () => void more(count),
        ),
    );
    const again = button(() => t.line.again, restart, 'quiet');

    /** Sets the controls to what the callout is about. */
    function showTorch(): void {
        p.value = 0.5;
        mode.value = 'train';
        rng.value = 'torch';
        seed.value = '42';
        step.value = '0';
        kind.value = 'small';
        input.value = small;
        restart();
        stage.scrollIntoView({ block: 'center', behavior: prefersStillness.matches ? 'instant' : 'smooth' });
    }

    return h(
        'section',
        { id: 'line', 'aria-labelledby': 'line-title' },
        h('h2', { id: 'line-title' }, h('span', { class: 'number' }, '1'), () => t.line.title),
        h('p', { class: 'lead' }, () => t.line.lead),
        h(
            'div',
            { class: 'bench' },
            h(
                'div',
                { class: 'controls' },
                p.element,
                mode.element,
                rng.element,
                h('div', { class: 'pair' }, seed.element, step.element),
                kind.element,
                input.element,
            ),
            h(
                'div',
                { class: 'results' },
                problem,
                stage,
                summary,
                h('pre', { class: 'program', tabindex: 0 }, code),
                h('h3', {}, () => t.line.meanTitle),
                h('p', {}, () => t.line.meanLead),
                h('div', { class: 'buttons' }, nextCall, ...counts, again),
                means,
                meanSummary,
            ),
        ),
        h('div', { class: 'callouts' }, torchCallout(showTorch), sameBits()),
    );
}

/** What PyTorch prints, against what the page that this project began with guessed. */
function torchCallout(showAbove: () => void): HTMLElement {
    const result = h('output');
    const compute = () => {
        const { y } = callOf('kind = "dropout"\np = 0.5', [4], Float32Array.of(1, 2, 3, 4), 0, 42n, 'torch');
        result.textContent = list(y);
    };
    ready.then(compute, () => undefined);
    return h(
        'aside',
        { class: 'callout' },
        h('h3', {}, () => t.torch.title),
        h('p', {}, () => t.torch.text),
        h(
            'dl',
            { class: 'facts' },
            h(
                'div',
                {},
                h('dt', {}, () => t.torch.guessed),
                h('dd', {}, h('s', {}, '[0, 0, 0, 8]')),
            ),
            h(
                'div',
                {},
                h('dt', {}, () => t.torch.prints),
                h('dd', {}, '[2, 4, 6, 8]'),
            ),
            h(
                'div',
                {},
                h('dt', {}, () => t.torch.computed),
                h('dd', { id: 'torch-42' }, result),
            ),
        ),
        button(() => t.torch.show, showAbove),
    );
}

interface Case {
    sha256: Record<string, string>;
}

/** Draws every case of the project's list, and compares the hashes. */
function sameBits(): HTMLElement {
    const result = h('p', { role: 'status', id: 'same-bits' });
    let said = () => '';
    const say = (text: () => string) => {
        said = text;
        setText(result, said());
    };
    translated(() => setText(result, said()));

    async function check(): Promise<void> {
        if (start.ariaDisabled === 'true') {
            return;
        }
        start.ariaDisabled = 'true'; // a disabled button would lose the focus
        try {
            const [response] = await Promise.all([fetch(vectors), ready]);
            const cases: Case[] = await response.json();
            let same = 0;
            let shown = performance.now();
            for (const [index, item] of cases.entries()) {
                const computed: Record<string, string> = JSON.parse(check_case(JSON.stringify(item)));
                // The page computes in f32 alone, so the other types have no hashes.
                const names = Object.keys(item.sha256).filter(name => name === 'f32' || computed[name]);
                same += names.every(name => computed[name] === item.sha256[name]) ? 1 : 0;
                if (performance.now() - shown > 50) {
                    say(() => t.same.progress(index + 1, cases.length));
                    await nextFrame();
                    shown = performance.now();
                }
            }
            say(() => t.same.result(same, cases.length, kernel()));
        } catch (error) {
            say(() => t.failed(String(error)));
        }
        start.ariaDisabled = 'false';
    }

    const start = button(
        () => t.same.start,
        () => void check(),
    );
    return h(
        'aside',
        { class: 'callout' },
        h('h3', {}, () => t.same.title),
        h('p', {}, () => t.same.text),
        start,
        result,
    );
}
