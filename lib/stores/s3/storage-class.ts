import type { StorageClass } from '@aws-sdk/client-s3';

export type PackClass = 'hot' | 'warm' | 'cold';
export type StorageClasses = Readonly<Partial<Record<PackClass, StorageClass>>>;

/** All are readable at once (K4). STANDARD is what a store takes when nothing is said: any S3-compatible one can do that. */
export const DIRECT_CLASSES: StorageClasses = { warm: 'STANDARD_IA', cold: 'GLACIER_IR' };

/**
 * The storage class in which an object is written, by its name: packs by their class, all else (metadata, which never
 * goes cold) in the bucket's standard. Give `{}` where lifecycle rules move packs later.
 */
export function storageClassOfPacks(classes: StorageClasses): (name: string) => StorageClass | undefined {
  return (name) => {
    const [folder, packClass] = name.split('/', 2);
    return folder === 'packs' ? classes[packClass as PackClass] : undefined;
  };
}
