/** What containers/worker/Dockerfile makes ready: the folder that a run may fill, and who owns it. */
export const WORKER_SCRATCH = '/scratch';
export const WORKER_USER = '1000:1000';
