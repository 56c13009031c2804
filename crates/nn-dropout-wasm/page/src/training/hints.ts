// The library's errors and notes name options of the command line. The page has other means.

/** A text of the library, for a reader of the page. `numbers` is what the page calls regression. */
export function forPage(text: string, numbers: string): string {
    return text
        .replace('add --task regression', `choose “${numbers}” above`)
        .replace('--seeds', 'more seeds')
        .replace(/, or name its encoding, such as --encoding.*/, '')
        .replace('name another --encoding', 'save the file as UTF-8')
        .replace(
            /say which mark is decimal( in all cells)? with --decimal \. or --decimal ,/,
            'write all numbers with a decimal point, and nothing between thousands',
        )
        .replace(/, or add --categories ".*" if all are categories/, '')
        .replace(/leave (it|them) out with --ignore( ".*")?/, 'leave $1 out of the file')
        .replace('Name it with --target', 'Choose it above');
}
