import type { Launched, NoCapacity, TaskLauncher, TaskOrder, TaskState } from '../../lib/scheduling/task-launcher.ts';
import { attemptToken } from '../../lib/scheduling/task-launcher.ts';
import { HoldfastError } from '../../lib/model/errors.ts';

const HOUR = 60 * 60_000;
const DAY = 24 * HOUR;

export interface FakeTask {
  readonly taskArn: string;
  readonly runId: string;
  readonly token: string;
  readonly order: TaskOrder;
  readonly launchedAt: number;
  status: TaskState['status'];
  stoppedAt?: number;
  stopCode?: string;
  exitCode?: number;
  reason?: string;
  /** SIGTERM was sent, with this reason. */
  stopAsked?: string;
}

/** What the next launch answers instead of a task. `lost`: a task is made, its answer does not arrive. */
export type Mishap = NoCapacity | { readonly throws: HoldfastError } | 'lost';

/**
 * ECS as it documents itself: a client token stands for one task, for 24 hours or until an hour after the task has
 * stopped, whichever is sooner; the same token with other parameters is a conflict, which the launcher answers with the
 * task that is there; capacity failures make no task and leave the token free; stopped tasks are described for an hour.
 */
export class FakeLauncher implements TaskLauncher {
  readonly tasks: FakeTask[] = [];
  readonly mishaps: Mishap[] = [];
  readonly #now: () => number;
  calls = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  async launch(order: TaskOrder): Promise<Launched | NoCapacity> {
    this.calls += 1;
    const token = attemptToken(order.run);
    const known = this.tasks.find((task) => task.token === token && this.#tokenLives(task));
    if (known !== undefined) return { taskArn: known.taskArn };
    const mishap = this.mishaps.shift();
    if (mishap !== undefined && mishap !== 'lost') {
      if ('throws' in mishap) throw mishap.throws;
      return mishap;
    }
    const task: FakeTask = { taskArn: `arn:aws:ecs:eu-central-1:000000000000:task/holdfast/${this.tasks.length + 1}`, runId: order.run.runId, token, order, launchedAt: this.#now(), status: 'coming' };
    this.tasks.push(task);
    if (mishap === 'lost') throw new HoldfastError('unavailable', 'The answer of RunTask did not arrive.');
    return { taskArn: task.taskArn };
  }

  async describe(taskArns: readonly string[]): Promise<readonly TaskState[]> {
    return this.tasks
      .filter(({ taskArn, stoppedAt }) => taskArns.includes(taskArn) && (stoppedAt === undefined || this.#now() < stoppedAt + HOUR))
      .map(({ taskArn, status, stopCode, exitCode, reason }) => ({ taskArn, status, ...(stopCode !== undefined && { stopCode }), ...(exitCode !== undefined && { exitCode }), ...(reason !== undefined && { reason }) }));
  }

  async stop(taskArn: string, reason: string): Promise<void> {
    const task = this.tasks.find((candidate) => candidate.taskArn === taskArn);
    if (task !== undefined && task.status !== 'stopped') task.stopAsked ??= reason;
  }

  /** ECS reports the task stopped. */
  end(taskArn: string, end: { readonly exitCode?: number; readonly stopCode?: string; readonly reason?: string }): void {
    const task = this.task(taskArn);
    Object.assign(task, { status: 'stopped', stoppedAt: this.#now(), stopCode: 'EssentialContainerExited', ...end });
  }

  task(taskArn: string): FakeTask {
    const task = this.tasks.find((candidate) => candidate.taskArn === taskArn);
    if (task === undefined) throw new Error(`no task ${taskArn}`);
    return task;
  }

  of(runId: string): FakeTask[] {
    return this.tasks.filter((task) => task.runId === runId);
  }

  #tokenLives(task: FakeTask): boolean {
    return this.#now() < Math.min(task.launchedAt + DAY, (task.stoppedAt ?? Infinity) + HOUR);
  }
}
