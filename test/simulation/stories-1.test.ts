import { describeStories } from './tell-stories.ts';

describeStories(0);
