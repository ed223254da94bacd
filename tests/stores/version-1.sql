-- A store of version 1, as sqlite3 dumps it.
BEGIN TRANSACTION;
CREATE TABLE annotations (
	subject TEXT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (subject)
);
CREATE TABLE epochs (
	run_id TEXT NOT NULL, 
	epoch INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	body TEXT NOT NULL, 
	val_confusion TEXT, 
	PRIMARY KEY (run_id, epoch)
)
 WITHOUT ROWID

;
INSERT INTO "epochs" VALUES('1m803ykvzpf2',1,2,'{"epoch":1,"step":2,"train_loss":1.0,"train_accuracy":0.5,"val_loss":0.8,"val_accuracy":0.5,"seconds":1.0,"eval_seconds":0.25,"test_loss":null,"test_accuracy":null,"kind":"epoch"}','[[3,1],[0,4]]');
INSERT INTO "epochs" VALUES('1m803ykvzpf2',2,3,'{"epoch":2,"step":3,"train_loss":0.5,"train_accuracy":0.5,"val_loss":0.8,"val_accuracy":0.5,"seconds":1.0,"eval_seconds":0.25,"test_loss":null,"test_accuracy":null,"kind":"epoch"}','[[3,1],[0,4]]');
CREATE TABLE interventions (
	number INTEGER NOT NULL, 
	run_id TEXT NOT NULL, 
	step INTEGER NOT NULL, 
	order_kind TEXT NOT NULL, 
	setting TEXT, 
	value DOUBLE, 
	PRIMARY KEY (number)
);
CREATE TABLE jobs (
	number INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	args TEXT NOT NULL, 
	state TEXT NOT NULL, 
	progress DOUBLE NOT NULL, 
	text TEXT NOT NULL, 
	eta_seconds DOUBLE, 
	reason TEXT NOT NULL, 
	result TEXT NOT NULL, 
	stop_wanted BOOLEAN NOT NULL, 
	worker_id TEXT, 
	created DOUBLE NOT NULL, 
	started DOUBLE, 
	ended DOUBLE, 
	PRIMARY KEY (number), 
	UNIQUE (id)
);
INSERT INTO "jobs" VALUES(1,'1m803ykzmzq1','prepare','{"name":"digits"}','queued',0.0,'',NULL,'','{}',0,NULL,1.79530047896494412418e+09,NULL,NULL);
CREATE TABLE meta (
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('schema_version','1');
CREATE TABLE orders (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	run_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	setting TEXT, 
	value DOUBLE
);
CREATE TABLE plans (
	number INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	state TEXT NOT NULL, 
	body TEXT NOT NULL, 
	progress TEXT NOT NULL, 
	created DOUBLE NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (id)
);
INSERT INTO "plans" VALUES(1,'0000000000p1','grid','done','{"seeds":1,"trials":[],"base":{}}','{"runs":{}}',1.0);
CREATE TABLE runs (
	number INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	request TEXT NOT NULL, 
	group_name TEXT NOT NULL, 
	state TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	phase TEXT NOT NULL, 
	rank INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	worker_id TEXT, 
	step INTEGER NOT NULL, 
	total_steps INTEGER NOT NULL, 
	epoch INTEGER NOT NULL, 
	epochs_total INTEGER NOT NULL, 
	train_seconds DOUBLE NOT NULL, 
	eval_seconds DOUBLE NOT NULL, 
	images_per_second DOUBLE, 
	created DOUBLE NOT NULL, 
	started DOUBLE, 
	ended DOUBLE, 
	plan_cost TEXT NOT NULL, 
	fingerprint TEXT NOT NULL, 
	chosen TEXT NOT NULL, 
	machine TEXT, 
	intervened BOOLEAN NOT NULL, 
	summary TEXT NOT NULL, 
	result TEXT, 
	PRIMARY KEY (number), 
	UNIQUE (id)
);
INSERT INTO "runs" VALUES(1,'1m803ykvzpf2','{"spec":{"in_size":[1,28,28],"out_classes":10,"channels":[4],"pool_every":1,"hidden_dims":[],"kernel_size":3,"stride":1,"padding":"same","dilation":1,"bias":true,"stem":null,"block":"plain","block_convs":0,"block_stride":1,"last_norm":false,"shortcut_norm":false,"downsample":"pool","activation":"relu","activation_params":{},"pooling":"max","pool_kernel_size":2,"pool_stride":null,"pool_padding":0,"pool_dilation":1,"norm":"none","norm_groups":4,"norm_place":"conv-norm-act","dropout":0.0,"hidden_dropout":0.0,"head":"flatten","init":"default"},"recipe":{"epochs":2,"batch_size":128,"optimizer":"adamw","lr":0.001,"momentum":0.9,"weight_decay":0.0,"decay_norm_and_bias":false,"schedule":"constant","step_epochs":10,"step_factor":0.1,"warmup":0.25,"label_smoothing":0.0,"clip_grad_norm":null,"patience":null,"max_batches":null,"augmentation":{"flip":false,"shift":0,"cutout":0},"test_each_epoch":false},"dataset":"digits","seed":0,"split_seed":0,"validation":0.1,"train_limit":null,"device":"auto","mode":"auto","compile":false,"name":"","preset":"lenet5","group":"","origin":null}','','finished','','',1,1,'1m803ykvcsr2',3,20,2,2,2.0,0.5,640.0,1.79530047884913682935e+09,1.79530047886968779566e+09,1.79530047890471196173e+09,'{}','f00d','{"name":"cpu-1"}','{"processor":"abacus","device":"cpu","threads":1,"versions":{"torch":"2"}}',0,'{"forecast":{"seconds_per_epoch":3.0},"batches_per_epoch":10,"first_train_loss":1.0,"last_train_loss":0.5,"last_train_accuracy":0.5,"last_val_loss":0.8,"last_val_accuracy":0.5,"best_val_accuracy":0.5,"best_val_epoch":1,"images_per_second":640.0,"latency":{"one":0.001},"test_loss":0.7,"test_accuracy":0.75}','{"loss":0.7,"accuracy":0.75,"count":8,"class_accuracy":[0.75,null],"confusion":[[3,1],[0,0]],"predictions_file":"test.npz"}');
INSERT INTO "runs" VALUES(2,'1m803ykz05q0','{"spec":{"in_size":[1,28,28],"out_classes":10,"channels":[4],"pool_every":1,"hidden_dims":[],"kernel_size":3,"stride":1,"padding":"same","dilation":1,"bias":true,"stem":null,"block":"plain","block_convs":0,"block_stride":1,"last_norm":false,"shortcut_norm":false,"downsample":"pool","activation":"relu","activation_params":{},"pooling":"max","pool_kernel_size":2,"pool_stride":null,"pool_padding":0,"pool_dilation":1,"norm":"none","norm_groups":4,"norm_place":"conv-norm-act","dropout":0.0,"hidden_dropout":0.0,"head":"flatten","init":"default"},"recipe":{"epochs":2,"batch_size":128,"optimizer":"adamw","lr":0.001,"momentum":0.9,"weight_decay":0.0,"decay_norm_and_bias":false,"schedule":"constant","step_epochs":10,"step_factor":0.1,"warmup":0.25,"label_smoothing":0.0,"clip_grad_norm":null,"patience":null,"max_batches":null,"augmentation":{"flip":false,"shift":0,"cutout":0},"test_each_epoch":false},"dataset":"digits","seed":1,"split_seed":0,"validation":0.1,"train_limit":null,"device":"auto","mode":"auto","compile":false,"name":"","preset":"","group":"","origin":null}','','queued','','',1,1,NULL,0,0,0,2,0.0,0.0,NULL,1.7953004789451549053e+09,NULL,NULL,'{}','','{}',NULL,0,'{}',NULL);
CREATE TABLE steps (
	run_id TEXT NOT NULL, 
	step INTEGER NOT NULL, 
	loss DOUBLE, 
	lr DOUBLE, 
	grad_norm DOUBLE, 
	images_per_second DOUBLE, 
	seconds DOUBLE, 
	PRIMARY KEY (run_id, step)
)
 WITHOUT ROWID

;
INSERT INTO "steps" VALUES('1m803ykvzpf2',1,1.0,0.1,2.0,640.0,0.1);
INSERT INTO "steps" VALUES('1m803ykvzpf2',2,1.0,0.1,2.0,640.0,0.2);
INSERT INTO "steps" VALUES('1m803ykvzpf2',3,1.0,0.1,2.0,640.0,0.3);
CREATE TABLE weights (
	run_id TEXT NOT NULL, 
	file TEXT NOT NULL, 
	step INTEGER NOT NULL, 
	what TEXT NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	PRIMARY KEY (run_id, file)
);
CREATE TABLE workers (
	id TEXT NOT NULL, 
	does TEXT NOT NULL, 
	host TEXT NOT NULL, 
	pid INTEGER NOT NULL, 
	birth TEXT NOT NULL, 
	heartbeat DOUBLE NOT NULL, 
	PRIMARY KEY (id)
);
CREATE INDEX runs_by_group ON runs (group_name);
CREATE INDEX runs_by_state ON runs (state, rank);
CREATE INDEX ix_interventions_run_id ON interventions (run_id);
CREATE INDEX ix_orders_run_id ON orders (run_id);
CREATE INDEX ix_jobs_state ON jobs (state);
CREATE INDEX ix_plans_state ON plans (state);
DELETE FROM "sqlite_sequence";
COMMIT;
