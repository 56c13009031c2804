// Part 5: which p suits a table.

import { language, t, translated } from '../i18n';
import type { Findings } from '../i18n/en';
import { load, Trainer } from '../training/client';
import { csv } from '../training/data';
import { encodingOf, toUtf8, unpacked } from '../training/encoding';
import { forPage } from '../training/hints';
import { problemOf, type Problem } from '../training/problem';
import type { Answer } from '../training/protocol';
import { command, toml, type Settings } from '../training/settings';
import { chart } from '../ui/chart';
import { button, choice, field, select } from '../ui/controls';
import { download, h, setCode, setPlain, setText } from '../ui/dom';

interface Source {
    name: string;
    /** Undefined for the digits, which the library has. */
    table?: Uint8Array;
    encoding?: string;
    columns: string[];
}

interface Plan {
    settings: Settings;
    rates: number[];
    seeds: number;
}

const RATES = '0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8';
const SEEDS = '5';

/** What a browser can train in a time that somebody waits. */
const MOST = { rates: 100, seeds: 1000, epochs: 10_000, units: 4096, layers: 8 };
/** A rate is written with all its digits, so it must not have hundreds of them. */
const LEAST_RATE = 0.0001;

/** What a table is trained with if the reader does not say: the program's own settings suit the digits. */
const DIGITS = { hidden: '512, 512', epochs: '30', fraction: '0.25' };
const TABLE = { hidden: '64, 64', epochs: '50', fraction: '0.7' };
const MOONS = { hidden: '128, 128', epochs: '300', fraction: '0.2' };

/** A text of the library, which has names between backticks. */
function rich(tag: 'li' | 'p', text: string): HTMLElement {
    const element = h(tag);
    setText(element, forPage(text, t.which.regression).replaceAll('p = ', 'p\u00a0=\u00a0'));
    return element;
}

/** What there is to say about an answer. */
function findings(answer: Answer): Findings {
    const { rows, columns, chosen, best, metric, verdict, sentences, certain, helpful } = answer;
    const of = (place: number) => {
        const cell = (title: string) => rows[place].cells[columns.findIndex(column => column.startsWith(title))] ?? '';
        return { rate: rows[place].rate, validation: cell('validation'), difference: cell('against') };
    };
    const tied = rows.filter((row, place) => place !== best && row.mark === 'may be best');
    const isHighest = rows.length > 1 && rows[chosen].rate === Math.max(...rows.map(row => row.rate));
    return {
        metric,
        certain,
        trainings: rows[best].complete,
        chosen: of(chosen),
        best: of(best),
        tied: tied.map(row => row.rate),
        helpfulOthers:
            verdict === 'helps' && !helpful.includes(chosen) ? helpful.map(place => rows[place].rate) : [],
        isHighest: isHighest && rows[chosen].rate > 0,
        sentences,
    };
}

export function which(): HTMLElement {
    let source: Source | undefined;
    let results: string[] = [];
    let answer: Answer | undefined;
    let workers: Trainer[] = [];
    /** Counts sweeps, so that what belongs to one that was stopped is not shown. */
    let run = 0;
    let progress: { done: number; all: number; began: number } | undefined;
    let running = false;
    /** What the last sweep was made of: the fields may say something else by now. */
    let swept: { source: Source; plan: Plan } | undefined;
    /** The name of a file that is being read. */
    let reading: string | undefined;
    let problem: Problem | undefined;
    let notes: string[] = [];

    const alert = h('p', { class: 'problem', role: 'alert', id: 'which-problem' });
    const chosenFile = h('p', { class: 'chosen', role: 'status' });
    const target = select(() => t.which.target, describe);
    const task = choice<'classification' | 'regression'>(
        () => t.which.task,
        [
            ['classification', () => t.which.classification],
            ['regression', () => t.which.regression],
        ],
        'classification',
        describe,
    );
    const rates = field(() => t.which.rates, RATES, describe);
    const seeds = field(() => t.which.seeds, SEEDS, describe, { numeric: true });
    const epochs = field(() => t.which.epochs, TABLE.epochs, describe, { numeric: true });
    const hidden = field(() => t.which.hidden, TABLE.hidden, describe);
    const fraction = field(() => t.which.fraction, TABLE.fraction, describe);
    const code = h('code');

    const input = h('input', {
        type: 'file',
        id: 'which-file',
        accept: '.csv,.tsv,.txt,.gz,.parquet,text/csv',
        onchange: () => {
            if (input.files?.[0]) {
                void take(input.files[0]);
            }
            input.value = ''; // the same file can be chosen again
        },
    });
    const drop: HTMLElement = h(
        'div',
        {
            class: 'drop',
            ondragover: (event: DragEvent) => {
                event.preventDefault();
                drop.classList.add('over');
            },
            ondragleave: () => drop.classList.remove('over'),
            ondrop: (event: DragEvent) => {
                event.preventDefault();
                drop.classList.remove('over');
                const file = event.dataTransfer?.files[0];
                if (file) {
                    void take(file);
                }
            },
        },
        h('p', {}, () => t.which.drop),
        h(
            'div',
            { class: 'buttons' },
            input,
            h('label', { for: 'which-file', class: 'file' }, () => t.which.choose),
        ),
        h('p', { class: 'note' }, () => t.which.private),
        h(
            'div',
            { class: 'buttons' },
            h('span', { class: 'note' }, () => t.which.orTry),
            button(
                () => t.which.digits,
                () => choose({ name: 'digits', columns: [] }, DIGITS),
            ),
            button(
                () => t.which.moons,
                () =>
                    choose(
                        {
                            name: 'moons.csv',
                            table: new TextEncoder().encode(csv('moons')),
                            columns: ['x', 'y', 'class'],
                        },
                        MOONS,
                    ),
            ),
        ),
    );

    async function take(file: File): Promise<void> {
        reset();
        const mine = run;
        source = undefined;
        reading = file.name;
        show();
        const reader = new Trainer();
        try {
            const table = new Uint8Array(await file.arrayBuffer());
            const text = await unpacked(table);
            const encoding = encodingOf(text, [language, ...navigator.languages]);
            const columns = await reader.call('columns', file.name, toUtf8(text, encoding));
            if (mine === run) {
                choose({ name: file.name, table, encoding, columns }, TABLE);
            }
        } catch (error) {
            if (mine === run) {
                reset();
                problem = problemOf(error);
                show();
            }
        } finally {
            reader.close();
        }
    }

    /** Forgets all that was found out about another table. */
    function reset(): void {
        run += 1;
        workers.forEach(worker => worker.close());
        workers = [];
        results = [];
        notes = [];
        answer = undefined;
        progress = undefined;
        running = false;
        reading = undefined;
        problem = undefined;
    }

    function choose(next: Source, defaults: typeof TABLE): void {
        reset();
        source = next;
        target.options(next.columns);
        target.value = next.columns.at(-1) ?? '';
        task.value = 'classification';
        rates.value = RATES;
        seeds.value = SEEDS;
        epochs.value = defaults.epochs;
        hidden.value = defaults.hidden;
        fraction.value = defaults.fraction;
        const mine = run;
        load().catch((error: unknown) => {
            if (mine === run) {
                problem = problemOf(error);
                show();
            }
        });
        describe();
        show();
    }

    /** What the fields say, or undefined if one of them is wrong. */
    function plan(): Plan | undefined {
        const numbers = (text: string) =>
            text
                .split(/[\s,]+/)
                .filter(Boolean)
                .map(Number);
        const isCount = (most: number) => (value: number) => Number.isInteger(value) && value > 0 && value <= most;
        const isRate = (value: number) => value === 0 || (value >= LEAST_RATE && value <= 1);
        const isShare = (value: number) => value > 0 && value < 1;
        const all = {
            rates: numbers(rates.value),
            seeds: numbers(seeds.value),
            epochs: numbers(epochs.value),
            hidden: numbers(hidden.value),
            fraction: numbers(fraction.value),
        };
        const isList = (values: number[], most: number, isRight: (value: number) => boolean) =>
            values.length > 0 && values.length <= most && values.every(isRight);
        const wrong = [
            isList(all.rates, MOST.rates, isRate) ? '' : t.which.badRates(MOST.rates, LEAST_RATE),
            isList(all.seeds, 1, isCount(MOST.seeds)) ? '' : t.which.badCount(MOST.seeds),
            isList(all.epochs, 1, isCount(MOST.epochs)) ? '' : t.which.badCount(MOST.epochs),
            isList(all.hidden, MOST.layers, isCount(MOST.units)) ? '' : t.which.badHidden(MOST.layers, MOST.units),
            isList(all.fraction, 1, isShare) ? '' : t.which.badFraction,
        ];
        [rates, seeds, epochs, hidden, fraction].forEach((field, index) => field.complain(wrong[index]));
        if (wrong.some(Boolean)) {
            return undefined;
        }
        const isTable = source?.table !== undefined;
        const settings: Settings = {
            encoding: source?.encoding,
            target: isTable ? target.value : undefined,
            task: isTable && task.value === 'regression' ? 'regression' : undefined,
            train_fraction: all.fraction[0],
            hidden: all.hidden,
            epochs: all.epochs[0],
        };
        return { settings, rates: all.rates, seeds: all.seeds[0] };
    }

    function describe(): void {
        const made = plan();
        start.disabled = running || !made;
        if (made && source) {
            const options = { rates: made.rates.join(), seeds: String(made.seeds) };
            setCode(code, command('sweep', source.table && source.name, made.settings, options), /(?<= )(?=--)/);
        }
    }

    /** A worker with the last sweep. */
    async function opened(): Promise<{ worker: Trainer; notes: string[]; trials: string[] }> {
        const { source, plan } = swept!;
        const worker = new Trainer();
        workers.push(worker);
        const rates = Float64Array.from(plan.rates);
        const sweep = await worker.call('openSweep', source.name, source.table, toml(plan.settings), rates, plan.seeds);
        return { worker, ...sweep };
    }

    async function sweep(): Promise<void> {
        const made = plan();
        if (!made || !source) {
            return;
        }
        reset();
        const mine = run;
        swept = { source, plan: made };
        running = true;
        tableHolder.style.minHeight = `${2.17 * (made.rates.length + 1)}rem`; // so that nothing moves when it comes
        show();
        start.scrollIntoView({ block: 'nearest' });
        try {
            const count = Math.min(4, navigator.hardwareConcurrency || 1);
            const all = await Promise.all(Array.from({ length: count }, opened));
            if (mine !== run) {
                return;
            }
            notes = all[0].notes;
            const { trials } = all[0];
            progress = { done: 0, all: trials.length, began: performance.now() };
            show();
            let next = 0;
            // Each worker takes the next trial until there is none. The first one also says what is known so far.
            await Promise.all(
                all.map(async ({ worker }, index) => {
                    while (next < trials.length) {
                        const result = await worker.call('run', next++);
                        if (mine !== run) {
                            return;
                        }
                        results.push(result);
                        progress!.done = results.length;
                        if (index === 0 && results.length < trials.length) {
                            const known = await worker.call('answer', results);
                            if (mine !== run) {
                                return;
                            }
                            answer = known;
                        }
                        show();
                    }
                }),
            );
            if (mine !== run) {
                return;
            }
            // The first one is still needed, to save the results.
            workers.splice(1).forEach(worker => worker.close());
            await conclude(workers[0]);
        } catch (error) {
            if (mine === run) {
                reset();
                problem = problemOf(error);
                show();
            }
        }
    }

    /** Asks for the answer to the results that there are. */
    async function conclude(worker: Trainer): Promise<void> {
        const mine = run;
        const known = await worker.call('answer', results);
        if (mine === run) {
            answer = known;
            problem = known ? undefined : { text: () => t.which.noScores };
            running = false;
            show();
        }
    }

    /** Ends all trainings at once. What has come so far is kept, and a new worker knows what to make of it. */
    async function end(): Promise<void> {
        const mine = ++run;
        workers.splice(0).forEach(worker => worker.close());
        running = false;
        // Without a result there is nothing to show.
        progress = results.length > 0 ? progress : undefined;
        show();
        if (results.length > 0) {
            try {
                await conclude((await opened()).worker);
            } catch (error) {
                if (mine === run) {
                    problem = problemOf(error);
                    show();
                }
            }
        }
    }

    const start = button(
        () => t.which.start,
        () => void sweep(),
        'primary',
    );
    const stop = button(
        () => t.which.stop,
        () => void end(),
    );

    const bar = h('progress', { 'aria-label': () => t.which.progress });
    const barText = h('p', { class: 'summary' });
    const noteList = h('ul', { class: 'notes', lang: 'en' });
    const headline = h('p', { class: 'headline' });
    const verdict = h('p', { class: 'verdict' });
    const sentences = h('div', { class: 'sentences' });
    const said = h('div', { class: 'answer', role: 'status' }, headline, verdict, sentences);
    const tableHolder = h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': () => t.which.table });
    let errors: (number | null)[] = [];
    const scores = chart(
        [
            { colour: '--muted', dashed: true, points: true },
            { colour: '--accent', points: true, errors: () => errors },
        ],
        280,
    );
    const saving = h(
        'div',
        { class: 'buttons' },
        button(
            () => t.which.saveResults,
            async () => {
                const worker = workers[0];
                if (worker) {
                    download('results.csv', 'text/csv', await worker.call('resultsCsv', results));
                }
            },
        ),
        button(
            () => t.which.saveConfig,
            () => answer && download('recommended.toml', 'application/toml', answer.config),
        ),
    );
    const options = h(
        'div',
        { class: 'options' },
        h('div', { class: 'toolbar' }, target.element, task.element),
        h(
            'details',
            {},
            h('summary', {}, () => t.which.options),
            h(
                'div',
                { class: 'fields' },
                rates.element,
                seeds.element,
                epochs.element,
                hidden.element,
                fraction.element,
            ),
        ),
        h('div', { class: 'buttons' }, start, stop),
        h('p', { class: 'note' }, () => t.which.sameProgram),
        h('pre', { class: 'program', tabindex: 0 }, code),
    );
    const outcome = h(
        'div',
        { class: 'outcome' },
        h('div', { class: 'progress' }, bar, barText),
        said,
        scores.element,
        h(
            'ul',
            { class: 'legend' },
            h('li', { class: 'dashed' }, () => t.why.train),
            h('li', { class: 'solid' }, () => t.which.validationWithError),
        ),
        tableHolder,
        saving,
        h('h3', {}, () => t.which.notes),
        noteList,
    );

    function show(): void {
        options.hidden = !source;
        outcome.hidden = !running && !progress;
        target.element.hidden = task.element.hidden = !source?.table;
        alert.toggleAttribute('lang', false);
        if (problem?.lang) {
            alert.lang = problem.lang;
        }
        setPlain(alert, problem?.text() ?? '');
        setPlain(
            chosenFile,
            !source
                ? reading
                    ? t.which.reading(reading)
                    : ''
                : source.table
                  ? t.which.chosen(source.name, source.columns.length, source.encoding)
                  : t.which.chosenDigits,
        );
        // The focus goes from the button that goes to the one that comes.
        const focused = document.activeElement;
        stop.hidden = !running;
        start.disabled = running || !plan();
        if (running && focused === start) {
            stop.focus();
        } else if (!running && focused === stop) {
            start.focus();
        }
        if (progress) {
            const { done, all, began } = progress;
            bar.max = all;
            bar.value = done;
            const left = done > 0 ? ((performance.now() - began) / done) * (all - done) : undefined;
            setText(
                barText,
                t.which.trials(done, all, running && left !== undefined ? Math.ceil(left / 1000) : undefined),
            );
        } else {
            bar.removeAttribute('value');
            setText(barText, t.which.opening);
        }
        noteList.replaceChildren(...notes.map(note => rich('li', note)));
        saving.hidden = running || !answer;
        // What changes every second is not read out; the end of it is.
        said.setAttribute('aria-busy', String(running));
        if (answer) {
            showAnswer(answer);
        } else {
            [headline, verdict, sentences, tableHolder].forEach(element => element.replaceChildren());
            scores.show([[], [], []], { x: 'p', y: '', yRange: [0, 1] }, '');
        }
    }

    function showAnswer(answer: Answer): void {
        const { rows, columns, chosen, factor, verdict: kind } = answer;
        const axis = t.which.axis(answer.axis);
        const rate = rows[chosen].rate;
        const isWhole = progress !== undefined && progress.done === progress.all;
        setText(headline, isWhole && !running ? t.which.take(rate) : t.which.soFar(rate));
        setText(verdict, t.which.verdicts[kind]);
        sentences.replaceChildren(...t.which.sentences(findings(answer)).map(line => rich('p', line)));
        tableHolder.replaceChildren(
            h(
                'table',
                {},
                h(
                    'thead',
                    {},
                    h('tr', {}, ...columns.map(column => h('th', { scope: 'col' }, t.which.column(column))), h('td')),
                ),
                h(
                    'tbody',
                    {},
                    ...rows.map((row, index) =>
                        h(
                            'tr',
                            { class: index === chosen ? 'is-chosen' : '' },
                            ...row.cells.map((cell, column) =>
                                column === 0 ? h('th', { scope: 'row' }, cell) : h('td', {}, cell),
                            ),
                            h('td', { class: 'mark' }, t.which.mark(row.mark)),
                        ),
                    ),
                ),
            ),
        );
        const sorted = rows.filter(row => row.complete > 0).sort((a, b) => a.rate - b.rate);
        const scaled = (value: number | null) => (value === null ? null : factor * value);
        const [train, validation] = [sorted.map(row => scaled(row.train)), sorted.map(row => scaled(row.validation))];
        errors = sorted.map(row => scaled(row.error));
        const ends = [
            ...train,
            ...validation.flatMap((value, i) => {
                const error = errors[i] ?? 0;
                return value === null ? [] : [value - error, value + error];
            }),
        ].filter(value => value !== null);
        const [low, high] = [Math.min(...ends), Math.max(...ends)];
        const margin = 0.06 * (high - low || 1);
        const rateRange = sorted.map(row => row.rate);
        scores.show(
            [rateRange, train, validation],
            {
                x: 'p',
                y: axis,
                xRange: [Math.min(...rateRange) - 0.03, Math.max(...rateRange) + 0.03],
                yRange: [low - margin, high + margin],
                marked: rate,
            },
            t.which.chart(axis, rate),
        );
    }

    const section = h(
        'section',
        { id: 'which', 'aria-labelledby': 'which-title' },
        h('h2', { id: 'which-title' }, h('span', { class: 'number' }, '5'), () => t.which.title),
        h('p', { class: 'lead' }, () => t.which.lead),
        drop,
        alert,
        chosenFile,
        options,
        outcome,
    );
    translated(show);

    const near = new IntersectionObserver(entries => {
        if (entries.some(entry => entry.isIntersecting)) {
            near.disconnect();
            load().catch(() => undefined); // the call that needs it says so
        }
    });
    near.observe(section);
    return section;
}
