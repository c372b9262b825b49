/** Everything that has ever come back differently from a dump, as statements for one database. */
export const AWKWARD = String.raw`
set sql_mode = '';
create table types (
  id bigint unsigned auto_increment primary key, t tinyint, ti tinyint(1), u smallint unsigned zerofill, m mediumint, i int, f float, d double, n decimal(30,10), b bit(17),
  dt date, dtt datetime(6), ts timestamp(3) null, tm time(4), y year, c char(20), vc varchar(300), bin binary(5), vb varbinary(20), tb tinyblob, bl longblob, tx longtext,
  e enum('a','b''c','ü'), s set('x','y'), j json, g point, un uuid, ip inet6, txl text character set latin1, tb5 text character set utf8mb4 collate utf8mb4_bin
);
insert into types values
  (1, -128, 1, 42, -8388608, 2147483647, 1.5, -2.25e300, 12345678901234567890.0123456789, b'10000000000000001', '2024-02-29', '2024-02-29 23:59:59.123456', '2024-03-31 01:30:00.123', '-838:59:59', 1901, 'trail  ', 'a''b"c\\d\ne\rf\tg\0h\Zi', x'00ff00ff00', x'', x'00', x'000d0a1a22275c00', repeat('lang ', 5000), 'b''c', 'x,y', '{"k": "v \\" ü 😀", "n": [1, null]}', point(1, -2.5), '123e4567-e89b-12d3-a456-426655440000', '2001:db8::ff00:42:8329', 'Größe', '😀 4 bytes'),
  (2, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null),
  (3, 0, 0, 0, 0, 0, 0, 0, 0, b'0', '0000-00-00', '0000-00-00 00:00:00', '0000-00-00 00:00:00', '00:00:00', 0000, '', '', '', '', '', '', '', '', '', '[]', null, null, null, '', '');
insert into types (id, vc) values (18446744073709551614, '); INSERT INTO types VALUES (-- DELIMITER ;;');
create table ${'`'}Ställe; drop table x --x${'`'} (${'`'}na me${'`'} int primary key comment 'it''s; a "comment"', ${'`'}sel VALUES (ect${'`'} text) comment 'x';
insert into ${'`'}Ställe; drop table x --x${'`'} values (1, ') VALUES ('), (2, ',\n(');
create table generated (a int primary key, b int as (a * 2) stored, c varchar(20) as (concat('#', a)) virtual, key (c));
insert into generated (a) values (1), (2), (30);
create table parts (id int, d date, primary key (id, d)) partition by range (year(d)) (partition old values less than (2020), partition new values less than maxvalue);
insert into parts values (1, '2019-12-31'), (2, '2020-01-01');
create table empty_one (id int primary key, x text);
create table zero_auto (id int auto_increment primary key, x int);
set sql_mode = 'NO_AUTO_VALUE_ON_ZERO'; insert into zero_auto values (0, 1), (7, 2); set sql_mode = '';
create table hen (id int primary key, egg int); create table egg (id int primary key, hen int, constraint from_hen foreign key (hen) references hen (id) on delete cascade);
alter table hen add constraint from_egg foreign key (egg) references egg (id);
insert into hen values (1, null); insert into egg values (1, 1); update hen set egg = 1;
create sequence numbers start with 1000 increment by 10 cache 5;
create table numbered (id int primary key default (next value for numbers), w text); insert into numbered (w) values ('a'), ('b');
create table versioned (id int primary key, v int) with system versioning; insert into versioned values (1, 1); update versioned set v = 2;
create table checked (id int primary key, v int check (v > 0 and v <> 13), default_expression varchar(40) default (concat('d', 1)));
insert into checked (id, v) values (1, 5);
create table log (at int auto_increment primary key, what varchar(200));
create view first as select id, vc from types where id < 3;
create view ${'`'}second ü${'`'} as select f.id, h.egg, 'a\nb;' as text from first f join hen h on h.id = f.id;
create view a_third as select * from ${'`'}second ü${'`'};
delimiter //
create function plus_one(x int) returns int deterministic begin /* ; */ return x + 1; end//
create view with_function as select plus_one(id) as n from hen//
create procedure tricky(in x int, out y varchar(100))
begin
  declare s varchar(100) default '
-- Table structure for table ${'`'}nothing${'`'}
';
  if x > 0 then
    insert into log (what) values (concat('DELIMITER ', x, s));
  end if;
  set y = 'ü;';
end//
create trigger on_hen before insert on hen for each row begin
  insert into log (what) values (concat('hen ', new.id, '; ok'));
end//
create trigger on_hen_too after update on hen for each row follows on_hen_again set @x = 1//
`.replace(" follows on_hen_again", '') + String.raw`
create event every_day on schedule every 1 day starts '2030-01-01 00:00:00' disable comment 'it''s' do begin insert into log (what) values ('event'); end//
delimiter ;
create table ledger (i int primary key, at datetime(6) default now(6)); create table balance (id int primary key, last int); insert into balance values (1, 0);
`;

/** Tables of it that a writer goes on changing. */
export const MOVING = ['ledger', 'balance'];
