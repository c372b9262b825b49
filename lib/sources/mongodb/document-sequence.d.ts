/** Of the driver, and not in its types: the only way to send documents that are BSON already. A test sends some. */
declare module 'mongodb/lib/cmap/commands.js' {
  export class DocumentSequence {
    constructor(field: string);
    /** The second is what goes over the wire; the first is for its own use of it. */
    push(document: object, bytes: Uint8Array): number;
  }
}
