import { HoldfastError } from '../model/errors.ts';

/** The error of every store for a name that holds nothing. */
export function notFound(name: string, store: string): HoldfastError {
  return new HoldfastError('not-found', `${name} is not in the store ${store}`, { data: { name } });
}

/** The error of every store for a name that is written once and holds other bytes. */
export function alreadyExists(name: string, store: string): HoldfastError {
  return new HoldfastError('already-exists', `${name} is in the store ${store} with other bytes: objects are written once and never changed`, { data: { name } });
}
