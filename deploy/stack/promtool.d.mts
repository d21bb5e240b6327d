/** `promtool`, Prometheus' tool for rules; undefined where the machine has none. */
export function findPromtool(environment?: NodeJS.ProcessEnv): string | undefined;
/** Where this stack's Prometheus looks for files of targets; undefined where another's address is given. */
export function targetsFolder(): string | undefined;
