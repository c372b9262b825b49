import type { ContentFile } from '../database-loader.ts';
import type { RedisLink } from './link.ts';
import { RedisError } from './resp.ts';
import { redisFailure } from './failures.ts';
import { recordsIn } from './snapshots-in.ts';
import { libraryName } from './target.ts';

const BATCH_COMMANDS = 1000;

/**
 * Which records of a snapshot were written, a bit for each: what fails can be taken away again by going through the snapshot once
 * more, without the names of millions of keys in memory.
 */
export class Written {
  #bits = new Uint8Array(1024);
  #last = -1;
  count = 0;

  add(nr: number): void {
    const [byte, bit] = [nr >> 3, 1 << (nr & 7)];
    if (byte >= this.#bits.length) {
      const larger = new Uint8Array(Math.max(byte + 1, this.#bits.length * 2));
      larger.set(this.#bits);
      this.#bits = larger;
    }
    this.#bits[byte]! |= bit;
    this.#last = Math.max(this.#last, nr);
    this.count++;
  }

  has(nr: number): boolean {
    return ((this.#bits[nr >> 3] ?? 0) & (1 << (nr & 7))) !== 0;
  }

  /** Removes from a server what was written into it, and nothing else. */
  async takeAway(file: ContentFile, link: RedisLink): Promise<void> {
    let [nr, database] = [0, 0];
    let commands: (string | Buffer)[][] = [];
    const flush = async () => {
      const failed = (await link.askAll(commands)).find((reply) => reply instanceof RedisError);
      commands = [];
      if (failed instanceof RedisError) throw redisFailure(failed.words, link.connection);
    };
    for await (const { records } of recordsIn(file, { isWithoutValues: true })) {
      if (nr > this.#last) break;
      for (const record of records) {
        if (!this.has(nr++)) continue;
        if (record.kind === 'functions') commands.push(['FUNCTION', 'DELETE', libraryName(record.code)]);
        else {
          if (record.database !== database) commands.push(['SELECT', String((database = record.database))]);
          commands.push(['UNLINK', record.name]);
        }
        if (commands.length >= BATCH_COMMANDS) await flush();
      }
    }
    await flush();
  }
}
