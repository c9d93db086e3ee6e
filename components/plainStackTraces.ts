// Pulumi notes a stack trace with every promise, and has each translated by source maps. Node runs this TypeScript as it
// stands, line by line, so nothing is to be translated: without it, a preview takes a third less time.
Reflect.deleteProperty(Error, "prepareStackTrace");
