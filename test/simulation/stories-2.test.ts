import { describeStories } from './tell-stories.ts';

describeStories(1);
