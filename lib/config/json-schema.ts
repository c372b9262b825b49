import * as z from 'zod';
import { configSchema } from './schema.ts';

/**
 * JSON Schema (draft 2020-12) of `holdfast.yaml`, for editors. What it cannot say (references between names, one key
 * per vault) is checked by `loadConfig` alone.
 */
export function jsonSchema(): object {
  const schema = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-2020-12' });
  return { ...schema, $id: 'holdfast.schema.json', title: 'holdfast.yaml' };
}
