// Part 4: where the line stands in a network.

import { t, translated } from '../i18n';
import type { Strings } from '../i18n/en';
import { h, setPlain, setText, svg } from '../ui/dom';

type Label = keyof Strings['where']['labels'];
type Place = keyof Strings['where']['places'];

const WIDTH = 320;
/** Where the data flow down, and where they go past a block. */
const FLOW = 140;
const BYPASS = 272;

type Point = [x: number, y: number];

function box(label: Label, y: number, height = 40): SVGElement {
    return svg(
        'g',
        { class: 'box' },
        svg('rect', { x: FLOW - 105, y, width: 210, height, rx: 8 }),
        svg(
            'text',
            { x: FLOW, y: y + height / 2, 'text-anchor': 'middle', 'dominant-baseline': 'central' },
            () => t.where.labels[label],
        ),
    );
}

function text(label: Label, x: number, y: number, anchor = 'middle'): SVGElement {
    return svg(
        'text',
        { x, y, 'text-anchor': anchor, 'dominant-baseline': 'central', class: 'plain' },
        () => t.where.labels[label],
    );
}

const path = (points: Point[], arrow = true): SVGElement =>
    svg('polyline', { points: points.map(point => point.join()).join(' '), class: arrow ? 'flow arrow' : 'flow' });

/** Where a bypass comes back. */
function plus(y: number): SVGElement {
    return svg(
        'g',
        { class: 'plus' },
        svg('circle', { cx: FLOW, cy: y, r: 11 }),
        svg('path', { d: `M${FLOW - 6},${y}h12M${FLOW},${y - 6}v12` }),
    );
}

interface Diagram {
    name: keyof Strings['where']['diagrams'];
    height: number;
    drawing: SVGElement[];
    places: { place: Place; at: Point }[];
}

const diagrams = (): Diagram[] => [
    {
        name: 'gpt',
        height: 620,
        drawing: [
            text('tokens', FLOW, 14),
            path([
                [FLOW, 26],
                [FLOW, 44],
            ]),
            box('embedding', 46),
            path([
                [FLOW, 86],
                [FLOW, 164],
            ]),
            path([
                [FLOW, 146],
                [BYPASS, 146],
                [BYPASS, 398],
                [FLOW + 13, 398],
            ]),
            box('norm', 166, 32),
            path([
                [FLOW, 198],
                [FLOW, 214],
            ]),
            box('scores', 216),
            path([
                [FLOW, 256],
                [FLOW, 304],
            ]),
            box('values', 306),
            path([
                [FLOW, 346],
                [FLOW, 385],
            ]),
            plus(398),
            path([
                [FLOW, 409],
                [FLOW, 446],
            ]),
            path([
                [FLOW, 428],
                [BYPASS, 428],
                [BYPASS, 586],
                [FLOW + 13, 586],
            ]),
            box('norm', 448, 32),
            path([
                [FLOW, 480],
                [FLOW, 492],
            ]),
            box('mlp', 494),
            path([
                [FLOW, 534],
                [FLOW, 573],
            ]),
            plus(586),
            path([
                [FLOW, 597],
                [FLOW, 618],
            ]),
        ],
        places: [
            { place: 'embedding', at: [FLOW, 114] },
            { place: 'attention', at: [FLOW, 278] },
            { place: 'afterAttention', at: [FLOW, 363] },
            { place: 'afterMlp', at: [FLOW, 551] },
        ],
    },
    {
        name: 'rnn',
        height: 560,
        drawing: [
            text('words', FLOW, 14),
            path([
                [FLOW, 26],
                [FLOW, 64],
            ]),
            box('table', 66),
            path([
                [FLOW, 106],
                [FLOW, 174],
            ]),
            box('lstm', 176, 56),
            path([
                [FLOW + 105, 218],
                [BYPASS + 18, 218],
                [BYPASS + 18, 190],
                [FLOW + 107, 190],
            ]),
            text('nextStep', WIDTH, 240, 'end'),
            path([
                [FLOW, 232],
                [FLOW, 306],
            ]),
            box('lstm', 308, 56),
            path([
                [FLOW + 105, 350],
                [BYPASS + 18, 350],
                [BYPASS + 18, 322],
                [FLOW + 107, 322],
            ]),
            path([
                [FLOW, 364],
                [FLOW, 438],
            ]),
            box('decoder', 440),
            path([
                [FLOW, 480],
                [FLOW, 510],
            ]),
            text('nextWord', FLOW, 526),
        ],
        places: [
            { place: 'vocabulary', at: [FLOW - 105, 86] },
            { place: 'rnnInput', at: [FLOW, 138] },
            { place: 'recurrent', at: [BYPASS + 18, 204] },
            { place: 'between', at: [FLOW, 267] },
            { place: 'rnnOutput', at: [FLOW, 399] },
        ],
    },
    {
        name: 'cnn',
        height: 620,
        drawing: [
            text('image', FLOW, 14),
            path([
                [FLOW, 26],
                [FLOW, 44],
            ]),
            box('conv', 46),
            path([
                [FLOW, 86],
                [FLOW, 188],
            ]),
            path([
                [FLOW, 160],
                [BYPASS, 160],
                [BYPASS, 398],
                [FLOW + 13, 398],
            ]),
            box('conv', 190),
            path([
                [FLOW, 230],
                [FLOW, 286],
            ]),
            box('conv', 288),
            path([
                [FLOW, 328],
                [FLOW, 385],
            ]),
            plus(398),
            path([
                [FLOW, 409],
                [FLOW, 438],
            ]),
            box('pool', 440),
            path([
                [FLOW, 480],
                [FLOW, 548],
            ]),
            box('linear', 550),
            path([
                [FLOW, 590],
                [FLOW, 618],
            ]),
        ],
        places: [
            { place: 'channels', at: [FLOW, 124] },
            { place: 'blocks', at: [FLOW, 257] },
            { place: 'branch', at: [FLOW, 355] },
            { place: 'beforeLinear', at: [FLOW, 513] },
        ],
    },
];

/** The names of the layers: those of the library, then those of PyTorch. They are the same in every language. */
const layers: Record<Place, [ours: string, theirs: string]> = {
    embedding: ['Dropout', 'nn.Dropout'],
    attention: ['Dropout', 'F.scaled_dot_product_attention(..., dropout_p=p)'],
    afterAttention: ['Dropout', 'nn.Dropout'],
    afterMlp: ['Dropout', 'nn.Dropout'],
    vocabulary: ['EmbeddingDropout', 'fastai: EmbeddingDropout'],
    rnnInput: ['LockedDropout', 'fastai: RNNDropout'],
    recurrent: ['DropConnect', 'fastai: WeightDropout'],
    between: ['LockedDropout', 'nn.LSTM(..., dropout=p)'],
    rnnOutput: ['LockedDropout', 'fastai: RNNDropout'],
    channels: ['Dropout2d', 'nn.Dropout2d'],
    blocks: ['DropBlock2d', 'torchvision.ops.DropBlock2d'],
    branch: ['DropPath', 'torchvision.ops.StochasticDepth'],
    beforeLinear: ['Dropout', 'nn.Dropout'],
};

function figure({ name, height, drawing, places }: Diagram): HTMLElement {
    const title = h('h4');
    const says = h('p');
    const ours = h('code');
    const theirs = h('code');
    const panel = h(
        'div',
        { class: 'panel', role: 'status' },
        title,
        says,
        h(
            'dl',
            {},
            h('div', {}, h('dt', {}, 'nn-dropout'), h('dd', {}, ours)),
            h('div', {}, h('dt', {}, 'PyTorch'), h('dd', {}, theirs)),
        ),
    );

    let selected = 0;
    const marks = places.map(({ place, at: [x, y] }, index) =>
        svg(
            'g',
            {
                class: 'place',
                role: 'button',
                tabindex: 0,
                'aria-label': () => `${index + 1}: ${t.where.places[place].title}`,
                onfocus: () => pick(index),
                onpointerenter: () => pick(index),
                onclick: () => pick(index),
                onkeydown: (event: KeyboardEvent) => {
                    if (event.key === 'Enter' || event.key === ' ') {
                        event.preventDefault();
                        pick(index);
                    }
                },
            },
            svg('circle', { cx: x, cy: y, r: 20, class: 'target' }),
            svg('circle', { cx: x, cy: y, r: 15, class: 'mark' }),
            svg('text', { x, y, 'text-anchor': 'middle', 'dominant-baseline': 'central' }, String(index + 1)),
        ),
    );

    function pick(index: number): void {
        selected = index;
        show();
    }

    function show(): void {
        const { place } = places[selected];
        marks.forEach((mark, index) => mark.setAttribute('aria-pressed', String(index === selected)));
        setText(title, `${selected + 1}. ${t.where.places[place].title}`);
        setText(says, t.where.places[place].text);
        [ours, theirs].forEach((name, at) => setPlain(name, layers[place][at]));
    }

    translated(show);
    const drawn = svg(
        'svg',
        { viewBox: `0 0 ${WIDTH} ${height}`, role: 'group', 'aria-label': () => t.where.diagrams[name].title },
        ...drawing,
        ...marks,
    );
    return h(
        'div',
        { class: 'network' },
        h('h3', {}, () => t.where.diagrams[name].title),
        h('p', {}, () => t.where.diagrams[name].text),
        drawn,
        panel,
    );
}

export function where(): HTMLElement {
    // One arrowhead for all diagrams.
    const arrow = svg(
        'svg',
        { class: 'definitions', 'aria-hidden': 'true' },
        svg(
            'defs',
            {},
            svg(
                'marker',
                {
                    id: 'arrow',
                    viewBox: '0 0 10 10',
                    refX: 9,
                    refY: 5,
                    markerWidth: 7,
                    markerHeight: 7,
                    orient: 'auto',
                },
                svg('path', { d: 'M0,1L9,5L0,9', class: 'head' }),
            ),
        ),
    );
    return h(
        'section',
        { id: 'where', 'aria-labelledby': 'where-title' },
        h('h2', { id: 'where-title' }, h('span', { class: 'number' }, '4'), () => t.where.title),
        h('p', { class: 'lead' }, () => t.where.lead),
        arrow,
        h('div', { class: 'networks' }, ...diagrams().map(figure)),
    );
}
