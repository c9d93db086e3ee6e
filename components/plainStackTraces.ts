// Pulumi records a stack trace with every promise, and has each translated by source maps. Node runs this TypeScript
// unchanged, line by line, so there is nothing to translate: without it, a preview takes a third less time.
Reflect.deleteProperty(Error, "prepareStackTrace");
