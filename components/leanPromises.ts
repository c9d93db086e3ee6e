import { createRequire } from "node:module";

/** The SDK's module that marks promises, so that those which never end can be reported at the program's end. */
interface Debuggable {
  debuggablePromise<T>(promise: Promise<T>, context?: unknown): Promise<T>;
}

const debuggable = createRequire(import.meta.url)("@pulumi/pulumi/runtime/debuggable") as Debuggable;
const mark = debuggable.debuggablePromise;

// The SDK (3.270.0) keeps a stack trace of each of some ten thousand promises, a sixth of the program's time, and shows them if
// PULUMI_DEBUG_PROMISE_LEAKS asks for it. Without that they are marked as before, and a promise that never ends is reported as before.
if (process.env.PULUMI_DEBUG_PROMISE_LEAKS === undefined)
  debuggable.debuggablePromise = (promise, context) => {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    try {
      return mark(promise, context);
    } finally {
      Error.stackTraceLimit = limit;
    }
  };
