// Part 3: two networks learn the same, one of them with dropout.

import { t, translated } from '../i18n';
import { Trainer } from '../training/client';
import { csv, type Shape } from '../training/data';
import { problemOf, type Problem } from '../training/problem';
import type { Progress } from '../training/protocol';
import { command, toml, type Settings } from '../training/settings';
import { chart } from '../ui/chart';
import { button, checkbox, choice, slider } from '../ui/controls';
import { download, h, nextFrame, setCode, setText } from '../ui/dom';
import { colour, onTheme, rgb } from '../ui/theme';

type Data = Shape | 'digits';

/** Points of the plane along each axis. */
const GRID = 64;
const SAMPLES = 16;
/** The digits that are shown. */
const DIGITS = 100;
/** The size of the drawing in its own pixels. */
const DRAWING = 640;

function settings(data: Data, dropout: number): Settings {
    const common: Settings = { dropout, eval_interval: 1 };
    return data === 'digits'
        ? common
        : { target: 'class', ...common, train_fraction: 0.2, hidden: [128, 128], epochs: 300, eval_interval: 3 };
}

interface Bounds {
    x: [number, number];
    y: [number, number];
}

/** One of both networks: its worker, its drawing, its curves and its numbers. */
class Network {
    readonly element: HTMLElement;
    readonly curves = chart([{ colour: '--muted', dashed: true }, { colour: '--accent' }], 200);
    readonly measured: Progress[] = [];
    private readonly canvas = h('canvas', { width: DRAWING, height: DRAWING, role: 'img' });
    private readonly numbers = [0, 1, 2].map(() => h('dd'));
    private trainer: Trainer | undefined;
    private train = new Float32Array();
    private validation = new Float32Array();
    private plane: Float32Array | undefined;
    /** What the network reads in the digits that are shown. */
    private reading: Float32Array | undefined;
    private bounds: Bounds = { x: [0, 1], y: [0, 1] };
    private data: Data = 'moons';
    epochs = 0;

    constructor(title: () => string) {
        const [train, validation, gap] = this.numbers;
        this.element = h(
            'div',
            { class: 'contestant' },
            h('h3', {}, title),
            h('div', { class: 'drawing' }, this.canvas),
            h(
                'dl',
                { class: 'scores' },
                h(
                    'div',
                    {},
                    h('dt', {}, () => t.why.train),
                    train,
                ),
                h(
                    'div',
                    {},
                    h('dt', {}, () => t.why.validation),
                    validation,
                ),
                h(
                    'div',
                    {},
                    h('dt', {}, () => t.why.gap),
                    gap,
                ),
            ),
            this.curves.element,
        );
    }

    /** Begins anew, in a worker of its own. */
    async open(data: Data, dropout: number): Promise<void> {
        this.trainer?.close();
        const trainer = new Trainer();
        this.trainer = trainer;
        const table = data === 'digits' ? undefined : new TextEncoder().encode(csv(data));
        const epochs = await trainer.call('openTraining', table, toml(settings(data, dropout)));
        const [train, validation] = [await trainer.call('rows', 'train'), await trainer.call('rows', 'validation')];
        this.measured.length = 0;
        this.epochs = epochs;
        this.data = data;
        this.train = new Float32Array(train);
        this.validation = new Float32Array(validation);
        this.plane = undefined;
        this.reading = undefined;
        if (data !== 'digits') {
            const all = [...train, ...validation];
            this.bounds = { x: span(all.filter((_, i) => i % 3 === 0)), y: span(all.filter((_, i) => i % 3 === 1)) };
        }
    }

    /** Trains to the next measurement. False at the end. */
    async advance(): Promise<boolean> {
        const progress = await this.trainer!.call('advance');
        if (progress) {
            this.measured.push(progress);
        }
        return progress !== undefined;
    }

    /** Asks for what the network says about the plane, or reads in the digits. */
    async look(uncertain: boolean): Promise<void> {
        if (this.measured.length === 0) {
            return;
        }
        const samples = uncertain ? SAMPLES : 0;
        if (this.data === 'digits') {
            this.reading = await this.trainer!.call('read', 'validation', this.digits(), samples);
        } else {
            const { x, y } = this.bounds;
            this.plane = await this.trainer!.call('plane', ...x, ...y, GRID, GRID, samples);
        }
    }

    /** The rows of the digits that are shown. They are in the order of their classes, so these are some of each. */
    private digits(): Uint32Array {
        return Uint32Array.from({ length: DIGITS }, (_, digit) =>
            Math.floor((digit * this.validation.length) / 65 / DIGITS),
        );
    }

    private isMisread(digit: number, row: number): boolean {
        return this.reading !== undefined && this.reading[2 * digit] !== this.validation[65 * row + 64];
    }

    draw(uncertain: boolean): void {
        const context = this.canvas.getContext('2d')!;
        context.fillStyle = colour('--surface');
        context.fillRect(0, 0, DRAWING, DRAWING);
        if (this.data === 'digits') {
            this.drawDigits(context, uncertain);
        } else {
            this.drawPlane(context, uncertain);
            this.drawPoints(context, this.validation, false);
            this.drawPoints(context, this.train, true);
        }
        const last = this.measured.at(-1);
        this.canvas.setAttribute(
            'aria-label',
            this.data === 'digits'
                ? t.why.digitsShown(
                      DIGITS,
                      this.reading && [...this.digits()].filter((row, digit) => this.isMisread(digit, row)).length,
                  )
                : t.why.planeShown(last?.epoch ?? 0),
        );
    }

    private drawPlane(context: CanvasRenderingContext2D, uncertain: boolean): void {
        if (!this.plane) {
            return;
        }
        const [a, b, paper, veil] = ['--class-a', '--class-b', '--paper', '--control'].map(rgb);
        const image = new ImageData(GRID, GRID);
        for (let i = 0; i < GRID * GRID; i++) {
            const probability = this.plane[i];
            const deviation = uncertain ? this.plane[GRID * GRID + i] : 0;
            const strength = 0.6 * Math.abs(2 * probability - 1);
            const grey = Math.min(1.7 * deviation, 0.75);
            // The library counts from the lowest y, a picture from the top.
            const at = 4 * ((GRID - 1 - Math.floor(i / GRID)) * GRID + (i % GRID));
            for (let channel = 0; channel < 3; channel++) {
                const side = (probability < 0.5 ? a : b)[channel];
                const value = paper[channel] + (side - paper[channel]) * strength;
                image.data[at + channel] = value + (veil[channel] - value) * grey;
            }
            image.data[at + 3] = 255;
        }
        const small = new OffscreenCanvas(GRID, GRID);
        small.getContext('2d')!.putImageData(image, 0, 0);
        context.imageSmoothingQuality = 'high';
        context.drawImage(small, 0, 0, DRAWING, DRAWING);
    }

    private drawPoints(context: CanvasRenderingContext2D, rows: Float32Array, trained: boolean): void {
        const { x, y } = this.bounds;
        const place = (value: number, [low, high]: [number, number]) => (DRAWING * (value - low)) / (high - low);
        context.lineWidth = 2;
        for (let row = 0; row < rows.length; row += 3) {
            context.beginPath();
            const size = trained ? 8 : 3.5;
            const [px, py] = [place(rows[row], x), DRAWING - place(rows[row + 1], y)];
            // The classes have a shape of their own, too.
            if (rows[row + 2] === 0) {
                context.arc(px, py, size, 0, 2 * Math.PI);
            } else {
                context.rect(px - 0.9 * size, py - 0.9 * size, 1.8 * size, 1.8 * size);
            }
            context.fillStyle = colour(rows[row + 2] === 0 ? '--class-a' : '--class-b');
            context.fill();
            if (trained) {
                context.strokeStyle = colour('--paper');
                context.stroke();
            }
        }
    }

    private drawDigits(context: CanvasRenderingContext2D, uncertain: boolean): void {
        const [paper, ink, wrong, veil] = ['--surface', '--ink', '--dropped', '--control'].map(rgb);
        const image = new ImageData(100, 100);
        const rows = this.digits();
        rows.forEach((row, digit) => {
            const misread = this.isMisread(digit, row) ? 0.35 : 0;
            const grey = uncertain && this.reading ? 0.8 * this.reading[2 * digit + 1] : 0;
            for (let place = 0; place < 100; place++) {
                const [x, y] = [(place % 10) - 1, Math.floor(place / 10) - 1];
                const isPixel = x >= 0 && x < 8 && y >= 0 && y < 8;
                const share = isPixel ? this.validation[65 * row + 8 * y + x] / 16 : 0;
                const at = 4 * (100 * (10 * Math.floor(digit / 10) + y + 1) + 10 * (digit % 10) + x + 1);
                for (let channel = 0; channel < 3; channel++) {
                    const ground = paper[channel] + (wrong[channel] - paper[channel]) * misread;
                    const value = ground + (ink[channel] - ground) * share;
                    image.data[at + channel] = value + (veil[channel] - value) * grey;
                }
                image.data[at + 3] = 255;
            }
        });
        const small = new OffscreenCanvas(100, 100);
        small.getContext('2d')!.putImageData(image, 0, 0);
        context.imageSmoothingEnabled = false;
        context.drawImage(small, 0, 0, DRAWING, DRAWING);
        context.imageSmoothingEnabled = true;
        // What the network reads instead.
        context.font = '700 20px system-ui, sans-serif';
        context.textAlign = 'right';
        context.fillStyle = colour('--dropped');
        rows.forEach((row, digit) => {
            if (this.isMisread(digit, row)) {
                const cell = DRAWING / 10;
                const [right, bottom] = [cell * ((digit % 10) + 1), cell * (Math.floor(digit / 10) + 1)];
                context.fillText(String(this.reading![2 * digit]), right - 4, bottom - 5);
            }
        });
    }

    /** `shown` is the score that both networks show; `top` is the largest loss of both. */
    showNumbers(shown: 'accuracy' | 'loss', top: number, title: string): void {
        const of = (score: Progress['train']) => (shown === 'accuracy' ? 100 * score.metric : score.loss);
        const train = this.measured.map(({ train }) => of(train));
        const validation = this.measured.map(({ validation }) => of(validation));
        const format = (value: number | undefined) =>
            value === undefined || !Number.isFinite(value)
                ? '–'
                : shown === 'accuracy'
                  ? `${value.toFixed(1)} %`
                  : value.toFixed(3);
        // How much worse the network is on rows that it has not seen.
        const gap = ((train.at(-1) ?? NaN) - (validation.at(-1) ?? NaN)) * (shown === 'accuracy' ? 1 : -1);
        const gapText = shown === 'accuracy' && Number.isFinite(gap) ? t.why.points(gap.toFixed(1)) : format(gap);
        [format(train.at(-1)), format(validation.at(-1)), gapText].forEach((text, at) =>
            setText(this.numbers[at], text),
        );
        const low = Math.min(100, ...train, ...validation);
        this.curves.show(
            [this.measured.map(({ epoch }) => epoch), train, validation],
            {
                x: t.why.epoch,
                y: shown === 'accuracy' ? t.why.accuracyAxis : t.why.lossAxis,
                xRange: [0, this.epochs || 300],
                yRange: shown === 'accuracy' ? [Math.min(70, 10 * Math.floor(low / 10)), 100] : [0, 1.05 * top],
            },
            t.why.curves(title, format(train.at(-1)), format(validation.at(-1)), gapText),
        );
    }
}

/** The range of the values, with a margin. */
function span(values: number[]): [number, number] {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const margin = 0.06 * (high - low);
    return [low - margin, high + margin];
}

export function why(): HTMLElement {
    const data = choice<Data>(
        () => t.why.data,
        [
            ['moons', () => t.why.moons],
            ['circles', () => t.why.circles],
            ['digits', () => t.why.digits],
        ],
        'moons',
        () => void restart(),
    );
    let pending: ReturnType<typeof setTimeout>;
    const p = slider(
        () => t.why.p,
        { min: 0, max: 0.95, step: 0.05, value: 0.5 },
        value => value.toFixed(2),
        () => {
            // Not for each step of the handle.
            clearTimeout(pending);
            pending = setTimeout(() => void restart(), 300);
            titles.forEach(show => show());
        },
    );
    const shown = choice<'accuracy' | 'loss'>(
        () => t.why.shown,
        [
            ['accuracy', () => t.why.accuracy],
            ['loss', () => t.why.loss],
        ],
        'accuracy',
        show,
    );
    const uncertain = checkbox(
        () => t.why.uncertainty,
        () => void look(),
    );
    const problem = h('p', { class: 'problem', role: 'alert' });
    const status = h('p', { class: 'summary', role: 'status' });
    const code = h('code');

    const titles: (() => void)[] = [];
    const plainTitle = () => t.why.without;
    const dropTitle = () => t.why.with(p.value);
    const without = new Network(plainTitle);
    const withDropout = new Network(dropTitle);
    const dropHeading = withDropout.element.querySelector('h3')!;
    titles.push(() => setText(dropHeading, dropTitle()));
    const both = [without, withDropout];

    let state: 'new' | 'running' | 'paused' | 'ended' = 'new';
    let isOpening = false;
    /** Whether the reader wants it to train: while it begins anew, it does not. */
    let isWanted = false;
    let failure: Problem | undefined;
    /** Counts restarts, so that the loop of a training that was left ends. */
    let run = 0;
    let opened: Promise<unknown> | undefined;

    function open(): Promise<unknown> {
        if (!opened) {
            isOpening = true;
            opened = Promise.all([without.open(data.value, 0), withDropout.open(data.value, p.value)]);
        }
        return opened;
    }

    async function train(): Promise<void> {
        const mine = ++run;
        state = 'running';
        isWanted = true;
        failure = undefined;
        try {
            const opening = open();
            show();
            await opening;
            if (mine !== run) {
                return;
            }
            isOpening = false;
            show();
            while (mine === run && state === 'running') {
                const more = await Promise.all(both.map(network => network.advance()));
                if (mine !== run) {
                    return;
                }
                await look();
                await nextFrame();
                if (!more.every(Boolean)) {
                    state = 'ended';
                    isWanted = false;
                    show();
                }
            }
        } catch (error) {
            fail(mine, error);
        }
    }

    function fail(mine: number, error: unknown): void {
        if (mine === run) {
            state = 'new';
            isWanted = false;
            isOpening = false;
            opened = undefined;
            failure = problemOf(error);
            show();
        }
    }

    async function look(): Promise<void> {
        await Promise.all(both.map(network => network.look(uncertain.value)));
        show();
    }

    /** Begins anew. A training that was running runs again. */
    async function restart(): Promise<void> {
        const mine = ++run;
        state = 'new';
        opened = undefined;
        failure = undefined;
        both.forEach(network => (network.measured.length = 0));
        try {
            const opening = open();
            show();
            await opening;
            if (mine === run) {
                isOpening = false;
                show();
                if (isWanted) {
                    await train();
                }
            }
        } catch (error) {
            fail(mine, error);
        }
    }

    function show(): void {
        const losses = both.flatMap(({ measured }) =>
            measured.flatMap(({ train, validation }) => [train.loss, validation.loss]),
        );
        const top = Math.min(Math.max(...losses.filter(Number.isFinite), 0.1), 4);
        both.forEach((network, index) => {
            network.draw(uncertain.value);
            network.showNumbers(shown.value, top, [plainTitle, dropTitle][index]());
        });
        titles.forEach(title => title());
        setText(problem, failure?.text() ?? '');
        const next = { new: t.why.start, running: t.pause, paused: t.why.goOn, ended: t.why.once }[state];
        setText(start, isWanted ? t.pause : next);
        section.dataset.state = state;
        const last = both.map(({ measured }) => measured.at(-1));
        const [plain, drop] = last;
        status.setAttribute('aria-busy', String(state === 'running'));
        setText(
            status,
            plain && drop
                ? t.why.status(
                      plain.epoch,
                      without.epochs,
                      percent(plain.validation.metric),
                      percent(drop.validation.metric),
                  )
                : isOpening
                  ? t.why.loading
                  : t.why.begin,
        );
        legend.hidden = data.value === 'digits';
        saving.hidden = data.value === 'digits';
        setText(veil, data.value === 'digits' ? t.why.veilDigits : t.why.veil);
        setText(sameText, data.value === 'digits' ? t.why.sameDigits : t.why.sameText);
        setCode(
            code,
            command('train', data.value === 'digits' ? undefined : `${data.value}.csv`, settings(data.value, p.value)),
            /(?<= )(?=--)/,
        );
    }

    const percent = (share: number) => (100 * share).toFixed(1);

    const start = button(
        '',
        () => {
            if (state === 'running') {
                state = 'paused';
                isWanted = false;
                show();
            } else if (isWanted) {
                isWanted = false; // it was about to begin
                show();
            } else if (state === 'ended') {
                isWanted = true;
                void restart();
            } else {
                void train();
            }
        },
        'primary',
    );
    const again = button(
        () => t.why.again,
        () => void restart(),
    );
    const saving = button(
        () => t.why.save,
        () => download(`${data.value}.csv`, 'text/csv', csv(data.value as Shape)),
    );
    const veil = h('p', { class: 'note' });
    const sameText = h('p');
    const legend = h(
        'ul',
        { class: 'legend' },
        h('li', { class: 'a' }, () => t.why.classA),
        h('li', { class: 'b' }, () => t.why.classB),
        h('li', {}, () => t.why.pointSizes),
    );
    const lines = h(
        'ul',
        { class: 'legend' },
        h('li', { class: 'dashed' }, () => t.why.train),
        h('li', { class: 'solid' }, () => t.why.validation),
    );

    const section = h(
        'section',
        { id: 'why', 'aria-labelledby': 'why-title' },
        h('h2', { id: 'why-title' }, h('span', { class: 'number' }, '3'), () => t.why.title),
        h('p', { class: 'lead' }, () => t.why.lead),
        h('div', { class: 'toolbar' }, data.element, p.element, shown.element),
        h('div', { class: 'toolbar' }, h('div', { class: 'buttons' }, start, again), uncertain.element),
        problem,
        status,
        h('div', { class: 'contest' }, without.element, withDropout.element),
        h('div', { class: 'legends' }, legend, lines),
        h('p', { class: 'note' }, () => t.why.tooMuch),
        veil,
        h('h3', { class: 'same' }, () => t.why.same),
        sameText,
        h('div', { class: 'buttons' }, saving),
        h('pre', { class: 'program', tabindex: 0 }, code),
    );

    translated(show);
    onTheme(show);

    // The network's part is large: it is loaded when the reader comes near.
    const near = new IntersectionObserver(
        entries => {
            if (entries.some(entry => entry.isIntersecting)) {
                near.disconnect();
                if (state === 'new' && !opened) {
                    void restart();
                }
            }
        },
        { rootMargin: '600px' },
    );
    near.observe(section);
    return section;
}
