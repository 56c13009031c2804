// Charts, drawn by uPlot, which is loaded with the first of them.

import type uPlot from 'uplot';
import { h } from './dom';
import { colour, onTheme } from './theme';

export interface Series {
    /** A custom property of the style sheet. */
    colour: string;
    dashed?: boolean;
    points?: boolean;
    /** Half the length of an error bar at each point. */
    errors?: () => (number | null)[];
}

export interface Chart {
    element: HTMLElement;
    /** The values of x, then those of each series. The axes change with them. */
    show(data: (number | null)[][], axes: Axes, description: string): void;
}

export interface Axes {
    x: string;
    y: string;
    xRange?: [number, number];
    yRange: [number, number];
    /** A value of x to mark with a line. */
    marked?: number;
}

async function library(): Promise<typeof uPlot> {
    const [{ default: Plot }] = await Promise.all([import('uplot'), import('uplot/dist/uPlot.min.css')]);
    return Plot;
}

export function chart(series: Series[], height: number): Chart {
    const element = h('div', { class: 'chart', role: 'img' });
    element.style.height = `${height}px`;
    let plot: uPlot | undefined;
    let labels = '';
    let loading: Promise<unknown> | undefined;
    let data: (number | null)[][] = [[], ...series.map(() => [])];
    let axes: Axes = { x: '', y: '', yRange: [0, 1] };

    const size = () => ({ width: Math.max(element.clientWidth, 200), height });

    function options(): uPlot.Options {
        const font = `12px ${getComputedStyle(document.body).fontFamily}`;
        const axis = (label: () => string): uPlot.Axis => ({
            label: label(),
            labelFont: font,
            labelSize: 22,
            labelGap: 2,
            font,
            stroke: () => colour('--muted'),
            grid: { stroke: () => colour('--line'), width: 1 },
            ticks: { show: false },
            gap: 6,
        });
        return {
            ...size(),
            legend: { show: false },
            cursor: { show: false },
            padding: [10, 18, 0, 0],
            scales: {
                x: { time: false, range: (_plot, low, high) => axes.xRange ?? [low, high] },
                y: { range: () => axes.yRange },
            },
            axes: [
                { ...axis(() => axes.x), size: 30 },
                { ...axis(() => axes.y), size: 46 },
            ],
            series: [
                {},
                ...series.map((one): uPlot.Series => ({
                    stroke: () => colour(one.colour),
                    width: 2,
                    dash: one.dashed ? [6, 4] : undefined,
                    points: { show: one.points ?? false, size: 8, fill: () => colour(one.colour) },
                })),
            ],
            hooks: { draw: [drawMark, drawErrors] },
        };
    }

    function drawMark(plot: uPlot): void {
        if (axes.marked !== undefined) {
            const x = plot.valToPos(axes.marked, 'x', true);
            plot.ctx.strokeStyle = colour('--control');
            plot.ctx.lineWidth = devicePixelRatio;
            plot.ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
            plot.ctx.strokeRect(x, plot.bbox.top, 0, plot.bbox.height);
            plot.ctx.setLineDash([]);
        }
    }

    function drawErrors(plot: uPlot): void {
        series.forEach((one, index) => {
            const errors = one.errors?.() ?? [];
            plot.ctx.strokeStyle = colour(one.colour);
            plot.ctx.lineWidth = 1.5 * devicePixelRatio;
            errors.forEach((error, at) => {
                const [x, y] = [data[0][at], data[index + 1][at]];
                if (error !== null && x !== null && y !== null && y !== undefined) {
                    const across = plot.valToPos(x, 'x', true);
                    const [low, high] = [y - error, y + error].map(value => plot.valToPos(value, 'y', true));
                    const cap = 4 * devicePixelRatio;
                    plot.ctx.beginPath();
                    plot.ctx.moveTo(across, low);
                    plot.ctx.lineTo(across, high);
                    for (const end of [low, high]) {
                        plot.ctx.moveTo(across - cap, end);
                        plot.ctx.lineTo(across + cap, end);
                    }
                    plot.ctx.stroke();
                }
            });
        });
    }

    const values = () => data as uPlot.AlignedData;

    function make(Plot: typeof uPlot): void {
        plot?.destroy();
        labels = axes.x + axes.y;
        plot = new Plot(options(), values(), element);
    }

    onTheme(() => plot?.redraw(false));
    new ResizeObserver(() => plot?.setSize(size())).observe(element);

    return {
        element,
        show(nextData, nextAxes, description) {
            data = nextData;
            axes = nextAxes;
            element.setAttribute('aria-label', description);
            // uPlot takes its labels only when a chart is made.
            if (plot && labels === axes.x + axes.y) {
                plot.setData(values());
            } else if (data[0].length > 0) {
                loading = (loading ?? Promise.resolve())
                    .then(library)
                    .then(make)
                    .catch(() => (loading = undefined)); // the next values are another try
            }
        },
    };
}
