/** Waits for changes in a folder: by inotify(7) if available, and also by polling, for NFS and the like. */
import * as fs from 'node:fs';

const POLL_MS = 1_000;

export interface Watch {
  /** Resolves at the next change, the next poll or the end. A change since the last call counts too, so none is missed. */
  next(): Promise<void>;
  close(): void;
}

/** Watches `folder` until it is closed; `interrupt` wakes it. */
export function watchFolder(folder: string, interrupt: AbortSignal): Watch {
  let changed = false;
  let wake: (() => void) | undefined;
  const happened = (): void => {
    changed = true;
    wake?.();
  };
  const watcher = watcherOf(folder, happened);
  interrupt.addEventListener('abort', happened);
  return {
    next: async () => {
      if (!changed && !interrupt.aborted) await new Promise<void>((resolve) => (wake = wakenBy(resolve)));
      changed = false;
    },
    close: () => {
      watcher?.close();
      interrupt.removeEventListener('abort', happened);
    },
  };
}

function wakenBy(resolve: () => void): () => void {
  const timer = setTimeout(resolve, POLL_MS);
  return () => {
    clearTimeout(timer);
    resolve();
  };
}

/** Undefined if the kernel has no watches left; then polling must do. */
function watcherOf(folder: string, happened: () => void): fs.FSWatcher | undefined {
  try {
    return fs.watch(folder, happened).on('error', () => undefined);
  } catch {
    return undefined;
  }
}
