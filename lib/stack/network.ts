import { CfnSecurityGroup, GatewayVpcEndpointAwsService, IpAddresses, Peer, Port, SecurityGroup, SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import type { IVpc } from 'aws-cdk-lib/aws-ec2';
import { Construct } from 'constructs';
import type { ResolvedNetwork } from '../config/resolved-aws.ts';
import type { ResolvedNetworkPlace } from '../settings/deployed.ts';
import { acknowledge } from './acknowledge.ts';

/** Where tasks run. Made ones have public subnets without a way in, and nothing in them is billed while no task runs. */
export class Network extends Construct {
  /** What RunTask needs. */
  readonly place: ResolvedNetworkPlace;

  constructor(scope: Construct, id: string, network: ResolvedNetwork) {
    super(scope, id);
    this.place = network.kind === 'made' ? this.#make() : this.#bring(network);
  }

  #make(): ResolvedNetworkPlace {
    const vpc: Vpc = new Vpc(this, 'Vpc', {
      ipAddresses: IpAddresses.cidr('10.213.0.0/24'),
      maxAzs: 2,
      natGateways: 0,
      subnetConfiguration: [{ name: 'Public', subnetType: SubnetType.PUBLIC, cidrMask: 26, mapPublicIpOnLaunch: false }],
      // The default group is never used; closing it would need a custom resource with rights on all groups.
      restrictDefaultSecurityGroup: false,
      gatewayEndpoints: { S3: { service: GatewayVpcEndpointAwsService.S3 }, DynamoDb: { service: GatewayVpcEndpointAwsService.DYNAMODB } },
    });
    acknowledge(vpc, 'AwsSolutions-VPC7', 'Flow logs are billed by volume, and a restore moves all data through here. Nothing listens in this network; whoever needs them adds them to the VPC.');
    const group = new SecurityGroup(this, 'Tasks', { vpc: vpc as IVpc, description: 'Holdfast tasks: nothing comes in', allowAllOutbound: false });
    group.addEgressRule(Peer.anyIpv4(), Port.allTcp(), 'databases and AWS, wherever they are');
    return { subnets: vpc.publicSubnets.map((subnet) => subnet.subnetId), securityGroups: [group.securityGroupId], assignPublicIp: true };
  }

  #bring(network: Extract<ResolvedNetwork, { kind: 'existing' }>): ResolvedNetworkPlace {
    return { subnets: network.subnets, securityGroups: network.securityGroups.length > 0 ? network.securityGroups : [this.#groupIn(network.vpc)], assignPublicIp: network.assignPublicIp };
  }

  #groupIn(vpcId: string): string {
    return new CfnSecurityGroup(this, 'Tasks', {
      vpcId,
      groupDescription: 'Holdfast tasks: nothing comes in',
      securityGroupEgress: [{ ipProtocol: 'tcp', fromPort: 0, toPort: 65_535, cidrIp: '0.0.0.0/0', description: 'databases and AWS, wherever they are' }],
    }).attrGroupId;
  }
}
