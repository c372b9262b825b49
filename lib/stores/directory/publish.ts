import { join } from 'node:path';
import { PRIVATE_FOLDER } from '../object-name.ts';
import { withClaim, type ClaimPorts } from './claim.ts';
import { errnoOf } from './file-error.ts';
import { discard } from './temporary.ts';

/** How a file system says that it has no hard links (link(2)); a plain lack of rights shows again at `rename()`. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV'];

/**
 * Gives a finished, flushed temporary its final name, whole or not at all, and never over something that is there.
 * By `link()`; on file systems without it (exFAT, some network and user-space ones) by `rename()` under a claim.
 * Mixing both ways is not safe, so all writers of a vault must reach it through the same kind of mount.
 */
export class Publisher {
  readonly #root: string;
  readonly #ports: ClaimPorts;
  #linksWork = true;

  constructor(root: string, ports: ClaimPorts) {
    this.#root = root;
    this.#ports = ports;
  }

  /** True when published, false when the name was taken; the temporary is gone in both cases. */
  async publish(temporary: string, name: string): Promise<boolean> {
    try {
      const published = this.#linksWork ? await this.#byLink(temporary, name) : await this.#byRename(temporary, name);
      if (!published) await discard(this.#ports.fileOps, temporary);
      return published;
    } catch (error) {
      await discard(this.#ports.fileOps, temporary);
      throw error;
    }
  }

  async #byLink(temporary: string, name: string): Promise<boolean> {
    try {
      await this.#ports.fileOps.link(temporary, join(this.#root, name));
    } catch (error) {
      const errno = errnoOf(error) ?? '';
      if (errno === 'EEXIST') return false;
      if (!NO_LINKS.includes(errno)) throw error;
      this.#linksWork = false;
      return this.#byRename(temporary, name);
    }
    // At once: removing the second name moves the ctime, and that must not happen long after publication.
    await this.#ports.fileOps.unlink(temporary);
    return true;
  }

  #byRename(temporary: string, name: string): Promise<boolean> {
    const { fileOps } = this.#ports;
    const path = join(this.#root, name);
    return withClaim(this.#ports, join(this.#root, PRIVATE_FOLDER), name, async () => {
      const taken = await fileOps.lstat(path).catch((error: unknown) => {
        if (errnoOf(error) !== 'ENOENT') throw error;
        return undefined;
      });
      if (taken === undefined) await fileOps.rename(temporary, path);
      return taken === undefined;
    });
  }
}
