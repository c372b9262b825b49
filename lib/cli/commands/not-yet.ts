/** A policy may ask for these; who relies on them would find neither new backups nor old ones gone. */
export const NOT_YET = 'Note: this version runs no schedules and removes nothing by itself: `frequency` and `retention` of a policy are not carried out yet. Run backups from cron; `holdfast remove` and `holdfast prune` free space.';
