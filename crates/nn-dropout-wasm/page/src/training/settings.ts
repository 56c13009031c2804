// The settings of a training, as the library reads them and as the program's command line has them.

export interface Settings {
    encoding?: string;
    target?: string;
    task?: 'classification' | 'regression';
    hidden?: number[];
    epochs?: number;
    eval_interval?: number;
    train_fraction?: number;
    dropout?: number;
}

/** The settings as TOML. */
export function toml(settings: Settings): string {
    return Object.entries(settings)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => `${name} = ${JSON.stringify(value)}\n`)
        .join('');
}

/** A word as a shell takes it. */
const quoted = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** The command that does the same. `options` are what the settings do not have. */
export function command(
    name: 'train' | 'sweep',
    data: string | undefined,
    settings: Settings,
    options: Record<string, string> = {},
): string {
    const words = Object.entries({ data, ...settings, ...options })
        .filter(([, value]) => value !== undefined)
        .map(([option, value]) => ` --${option.replaceAll('_', '-')} ${quoted(String(value))}`);
    return `nn-dropout ${name}${words.join('')}`;
}
