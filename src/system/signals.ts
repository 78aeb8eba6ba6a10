/** Signals that end a conversation: they abort the waiting, so that the refusal is recorded and the terminal restored. */

const ENDING: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGTSTP'];

/** A signal object that aborts at the first ending signal. */
export function onEndingSignals(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ENDING) {
    process.on(signal, () => {
      controller.abort();
    });
  }
  return controller.signal;
}
