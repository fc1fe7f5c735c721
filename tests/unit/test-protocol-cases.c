/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Typed values case by case: what unions, alternates, types that changed, unknown things and mistakes of a program look
 * like in C. test-protocol.c goes over all types; this says what is meant.
 */
#include "schema/protocols.h"

#include <math.h>
#include <string.h>
#include <utm/qmp-types.h>

/* JSON with ' for ". */
static char *quoted(const char *json)
{
	return g_strdelimit(g_strdup(json), "'", '"');
}

static void *read_value(uint32_t type, const char *json)
{
	g_autofree char *text = quoted(json);
	g_autoptr(UtmError) error = NULL;
	void *value = NULL;
	if (utm_struct_from_json(type, text, &value, &error) < 0)
		g_error("at %s: %s: %s", utm_error_get_key_path(error), utm_error_get_message(error), json);
	return value;
}

static void assert_refused(uint32_t type, const char *json, const char *path, const char *message)
{
	g_autofree char *text = quoted(json);
	g_autoptr(UtmError) error = NULL;
	void *value = &error;
	g_assert_cmpint(utm_struct_from_json(type, text, &value, &error), ==, UTM_ERROR_QMP_MALFORMED);
	g_assert_true(value == &error);
	g_assert_cmpstr(utm_error_get_key_path(error), ==, path);
	g_assert_cmpstr(utm_error_get_message(error), ==, message);
}

static void assert_text(const void *value, const char *json)
{
	g_autofree char *expected = quoted(json);
	g_autofree char *text = NULL;
	g_autoptr(UtmError) error = NULL;
	if (utm_struct_to_json(value, &text, &error) < 0)
		g_error("at %s: %s: %s", utm_error_get_key_path(error), utm_error_get_message(error), json);
	g_assert_cmpstr(text, ==, expected);
}

static void assert_unwritable(const void *value, const char *path, const char *message)
{
	g_autoptr(UtmError) error = NULL;
	char *text = (char *)"untouched";
	g_assert_cmpint(utm_struct_to_json(value, &text, &error), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpstr(text, ==, "untouched");
	g_assert_cmpstr(utm_error_get_key_path(error), ==, path);
	g_assert_cmpstr(utm_error_get_message(error), ==, message);
}

/* What is read is written again like this; `same`: as it was. */
static void assert_becomes(uint32_t type, const char *json, const char *written)
{
	void *value = read_value(type, json);
	assert_text(value, written);
	utm_struct_free(value);
}

static void assert_stays(uint32_t type, const char *json)
{
	assert_becomes(type, json, json);
}

/* --- unions --- */

static void test_union(void)
{
	UtmQmpSocketAddress *address = utm_qmp_socket_address_new();
	address->type = UTM_QMP_SOCKET_ADDRESS_TYPE_INET;
	assert_unwritable(address, NULL, "lacks the branch that its tag chooses");
	address->u.inet = utm_qmp_inet_socket_address_new();
	assert_unwritable(address, "host", "is missing");
	utm_set_string(&address->u.inet->host, "::1");
	utm_set_string(&address->u.inet->port, "5900");
	address->u.inet->has_to = true;
	address->u.inet->to = 65535;
	assert_text(address, "{'type':'inet','host':'::1','port':'5900','to':65535}");
	UtmQmpSocketAddress *copy = utm_qmp_socket_address_copy(address);
	g_assert_true(utm_qmp_socket_address_equal(address, copy));
	g_assert_true(address->u.inet != copy->u.inet);
	copy->u.inet->to = 1;
	g_assert_false(utm_qmp_socket_address_equal(address, copy));
	utm_qmp_socket_address_free(copy);

	/* The branch stays when the tag goes elsewhere, and is not sent by mistake. */
	address->type = UTM_QMP_SOCKET_ADDRESS_TYPE_UNIX;
	assert_unwritable(address, "type", "is \"unix\", but the branch of another value is set");
	address->type = UTM_QMP_SOCKET_ADDRESS_TYPE_UNRECOGNIZED;
	assert_unwritable(address, "type", "is none of its values, but the branch of another value is set");
	address->type = 4711;
	assert_unwritable(address, "type", "is none of its values, but the branch of another value is set");
	utm_qmp_socket_address_free(address);
}

/* Every order of these keys. */
static void test_tag_anywhere(void)
{
	static const char *const keys[] = { "'transport':'socket'", "'type':'unix'", "'path':'/a'", "'new':[{}]" };
	UtmQmpMigrationAddress *expected = read_value(
		UTM_QMP_TYPE_MIGRATION_ADDRESS, "{'transport':'socket','type':'unix','path':'/a','new':[{}]}");
	g_assert_cmpint(expected->transport, ==, UTM_QMP_MIGRATION_ADDRESS_TYPE_SOCKET);
	g_assert_cmpint(expected->u.socket->type, ==, UTM_QMP_SOCKET_ADDRESS_TYPE_UNIX);
	g_assert_cmpstr(expected->u.socket->u.unix_->path, ==, "/a");
	g_assert_nonnull(utm_struct_get_extra(expected->u.socket->u.unix_, "new"));
	for (int i = 0; i < 4 * 4 * 4 * 4; i++) {
		int order[] = { i % 4, i / 4 % 4, i / 16 % 4, i / 64 };
		if ((1 << order[0] | 1 << order[1] | 1 << order[2] | 1 << order[3]) != 15)
			continue;
		g_autofree char *json = g_strdup_printf("{%s,%s,%s,%s}", keys[order[0]], keys[order[1]], keys[order[2]],
		                                        keys[order[3]]);
		UtmQmpMigrationAddress *address = read_value(UTM_QMP_TYPE_MIGRATION_ADDRESS, json);
		g_assert_true(utm_qmp_migration_address_equal(address, expected));
		utm_qmp_migration_address_free(address);
	}
	assert_text(expected, "{'transport':'socket','type':'unix','new':[{}],'path':'/a'}");
	utm_qmp_migration_address_free(expected);
}

/* Values of a tag that have no members, with and without unknown keys beside them, and others behind them. */
static void test_no_branch(void)
{
	UtmQmpBlockJobInfoList *jobs = read_value(
		UTM_QMP_TYPE_BLOCK_JOB_INFO | UTM_STRUCT_LIST,
		"[{'type':'backup','device':'a','len':1,'offset':0,'busy':true,'paused':false,'speed':0,'io-status':'ok',"
		"'ready':false,'status':'running','auto-finalize':true,'auto-dismiss':true},"
		"{'type':'stream','device':'b','len':1,'offset':0,'busy':true,'paused':false,'speed':0,'io-status':'ok',"
		"'ready':false,'status':'running','auto-finalize':true,'auto-dismiss':true,'new':1}]");
	g_assert_cmpuint(jobs->count, ==, 2);
	g_assert_cmpint(jobs->items[0]->job_type, ==, UTM_QMP_JOB_TYPE_BACKUP);
	g_assert_cmpint(jobs->items[1]->job_type, ==, UTM_QMP_JOB_TYPE_STREAM);
	g_assert_null(jobs->items[0]->u.mirror);
	g_assert_cmpint(utm_value_get_int(utm_struct_get_extra(jobs->items[1], "new")), ==, 1);
	utm_qmp_block_job_info_list_free(jobs);
	assert_stays(UTM_QMP_TYPE_DISPLAY_RELOAD_OPTIONS, "{'type':'vnc','tls-certs':true}");
}

/* The tag's value is older than the branch: an older QEMU sends the one without the other. */
static void test_late_branch(void)
{
	static const char job[] = "'auto-dismiss':true,'auto-finalize':true,'busy':true,'device':'a','io-status':'ok',"
		"'len':1,'offset':0,'paused':false,'ready':true,'speed':0,'status':'ready','type':'mirror'";
	g_autofree char *old = g_strdup_printf("{%s}", job);
	g_autofree char *recent = g_strdup_printf("{%s,'actively-synced':true}", job);
	g_autofree char *strange = g_strdup_printf("{%s,'zero':1}", job);
	UtmQmpBlockJobInfo *value = read_value(UTM_QMP_TYPE_BLOCK_JOB_INFO, old);
	g_assert_cmpint(value->job_type, ==, UTM_QMP_JOB_TYPE_MIRROR);
	g_assert_null(value->u.mirror);
	utm_struct_free(value);
	value = read_value(UTM_QMP_TYPE_BLOCK_JOB_INFO, recent);
	g_assert_true(value->u.mirror->actively_synced);
	utm_struct_free(value);
	value = read_value(UTM_QMP_TYPE_BLOCK_JOB_INFO, strange);
	g_assert_null(value->u.mirror);
	g_assert_nonnull(utm_struct_get_extra(value, "zero"));
	utm_struct_free(value);
	assert_stays(UTM_QMP_TYPE_BLOCK_JOB_INFO, old);
	assert_stays(UTM_QMP_TYPE_BLOCK_JOB_INFO, recent);
	assert_stays(UTM_QMP_TYPE_BLOCK_JOB_INFO, strange);
}

/* 7.2 has policy and handle in the union, 10.0 in the branch; reading fills both, and they go out once. */
static void test_left_for_branch(void)
{
	static const char old[] =
		"{'api-major':1,'api-minor':2,'build-id':3,'enabled':true,'handle':5,'policy':4,'state':'running'}";
	static const char recent[] = "{'api-major':1,'api-minor':2,'build-id':3,'enabled':true,'handle':5,'policy':4,"
		"'sev-type':'sev','state':'running'}";
	UtmQmpSevInfo *info = read_value(UTM_QMP_TYPE_SEV_INFO, old);
	g_assert_true(info->has_policy && info->policy == 4 && info->has_handle && info->handle == 5);
	g_assert_true(!info->has_sev_type && !info->u.sev);
	utm_struct_free(info);
	info = read_value(UTM_QMP_TYPE_SEV_INFO, recent);
	g_assert_true(info->has_policy && info->policy == 4 && info->u.sev->policy == 4 && info->u.sev->handle == 5);
	/* Set in one place only. */
	info->has_policy = info->has_handle = false;
	assert_text(info, "{'api-major':1,'api-minor':2,'build-id':3,'enabled':true,'sev-type':'sev','state':'running',"
	                  "'handle':5,'policy':4}");
	utm_struct_free(info);
	assert_stays(UTM_QMP_TYPE_SEV_INFO, old);
	assert_stays(UTM_QMP_TYPE_SEV_INFO, recent);
}

/* --- types that changed --- */

static void test_forms_of_member(void)
{
	static const char rest[] = "'auto-dismiss':true,'auto-finalize':true,'busy':true,'device':'a','io-status':'ok',"
		"'len':1,'offset':0,'paused':false,'ready':true,'speed':0,'status':'ready'";
	g_autofree char *known = g_strdup_printf("{%s,'type':'commit'}", rest);
	g_autofree char *unknown = g_strdup_printf("{%s,'type':'teleport'}", rest);
	g_autofree char *wrong = g_strdup_printf("{%s,'type':5}", rest);
	UtmQmpBlockJobInfo *job = read_value(UTM_QMP_TYPE_BLOCK_JOB_INFO, known);
	g_assert_cmpstr(job->type, ==, "commit");
	g_assert_true(job->has_job_type && job->job_type == UTM_QMP_JOB_TYPE_COMMIT);
	/* The newest that is set is sent. */
	utm_set_string(&job->type, "stream");
	assert_text(job, known);
	job->has_job_type = false;
	g_autofree char *stream = g_strdup_printf("{%s,'type':'stream'}", rest);
	assert_text(job, stream);
	utm_struct_free(job);

	job = read_value(UTM_QMP_TYPE_BLOCK_JOB_INFO, unknown);
	g_assert_cmpstr(job->type, ==, "teleport");
	g_assert_true(job->has_job_type && job->job_type == UTM_QMP_JOB_TYPE_UNRECOGNIZED);
	assert_text(job, unknown);
	utm_struct_free(job);
	assert_refused(UTM_QMP_TYPE_BLOCK_JOB_INFO, wrong, "type", "must be a string, not an integer");
}

static void test_forms_of_list(void)
{
	UtmQmpImageInfoSpecificVmdk *vmdk = read_value(
		UTM_QMP_TYPE_IMAGE_INFO_SPECIFIC_VMDK,
		"{'create-type':'t','cid':1,'parent-cid':2,'extents':[{'filename':'f','format':'FLAT','virtual-size':9,"
		"'snapshots':[]}]}");
	g_assert_cmpuint(vmdk->extents_count, ==, 1);
	g_assert_cmpuint(vmdk->extent_infos_count, ==, 1);
	g_assert_cmpint(vmdk->extents[0]->virtual_size, ==, 9);
	g_assert_cmpint(vmdk->extent_infos[0]->virtual_size, ==, 9);
	assert_text(vmdk, "{'cid':1,'create-type':'t','extents':[{'filename':'f','format':'FLAT','snapshots':[],"
	                  "'virtual-size':9}],'parent-cid':2}");
	utm_struct_free(vmdk);

	/* What the newer form refuses, the older one may take, and the other way round. */
	vmdk = read_value(UTM_QMP_TYPE_IMAGE_INFO_SPECIFIC_VMDK,
	                  "{'create-type':'t','cid':1,'parent-cid':2,'extents':[{'filename':'f','format':'FLAT',"
	                  "'virtual-size':9,'dirty-flag':3}]}");
	g_assert_null(vmdk->extents);
	g_assert_cmpuint(vmdk->extent_infos_count, ==, 1);
	utm_struct_free(vmdk);
	assert_refused(UTM_QMP_TYPE_IMAGE_INFO_SPECIFIC_VMDK,
	               "{'create-type':'t','cid':1,'parent-cid':2,'extents':[{'filename':'f'}]}", "extents[0].format",
	               "is missing");
	assert_stays(UTM_QMP_TYPE_IMAGE_INFO_SPECIFIC_VMDK, "{'cid':1,'create-type':'t','extents':[],'parent-cid':2}");
}

static void test_forms_of_branch(void)
{
	UtmQmpChardevBackend *backend =
		read_value(UTM_QMP_TYPE_CHARDEV_BACKEND, "{'type':'pty','data':{'logfile':'l','path':'/p'}}");
	g_assert_cmpstr(backend->u.pty->data->logfile, ==, "l");
	g_assert_cmpstr(backend->pty_options->data->path, ==, "/p");
	utm_struct_free(backend->pty_options);
	backend->pty_options = NULL;
	assert_text(backend, "{'type':'pty','data':{'logfile':'l','path':'/p'}}");
	utm_struct_free(backend);

	backend = read_value(UTM_QMP_TYPE_CHARDEV_BACKEND, "{'data':{'path':5},'type':'pty'}");
	g_assert_null(backend->pty_options);
	g_assert_nonnull(backend->u.pty);
	utm_struct_free(backend);
	assert_refused(UTM_QMP_TYPE_CHARDEV_BACKEND, "{'type':'pty','data':{'logfile':5}}", "data.logfile",
	               "must be a string, not an integer");

	backend = utm_qmp_chardev_backend_new();
	backend->type = UTM_QMP_CHARDEV_BACKEND_KIND_NULL;
	backend->pty_options = utm_qmp_chardev_pty_wrapper_new();
	assert_unwritable(backend, "type", "is \"null\", but the branch of another value is set");
	utm_struct_free(backend);
}

/* --- alternates, and null --- */

static void test_alternates(void)
{
	UtmQmpBlockdevOptionsQcow2 *qcow2 =
		read_value(UTM_QMP_TYPE_BLOCKDEV_OPTIONS_QCOW2, "{'backing':null,'file':'disk','overlap-check':'all'}");
	g_assert_cmpint(qcow2->backing->choice, ==, UTM_QMP_BLOCKDEV_REF_OR_NULL_NULL);
	g_assert_cmpint(qcow2->file->choice, ==, UTM_QMP_BLOCKDEV_REF_REFERENCE);
	g_assert_cmpstr(qcow2->file->reference, ==, "disk");
	g_assert_cmpint(qcow2->overlap_check->mode, ==, UTM_QMP_QCOW2_OVERLAP_CHECK_MODE_ALL);
	assert_text(qcow2, "{'backing':null,'file':'disk','overlap-check':'all'}");
	utm_struct_free(qcow2->backing);
	qcow2->backing = NULL;
	assert_text(qcow2, "{'file':'disk','overlap-check':'all'}");
	qcow2->file->choice = 0;
	assert_unwritable(qcow2, "file", "has no choice");
	qcow2->file->choice = 3;
	assert_unwritable(qcow2, "file", "has no choice");
	qcow2->file->choice = UTM_QMP_BLOCKDEV_REF_DEFINITION;
	assert_unwritable(qcow2, "file", "is missing");
	utm_struct_free(qcow2);

	assert_stays(UTM_QMP_TYPE_BLOCKDEV_OPTIONS_QCOW2,
	             "{'file':{'driver':'file','filename':'f'},'overlap-check':{'main-header':true,'template':'no such'}}");
	assert_refused(UTM_QMP_TYPE_BLOCKDEV_OPTIONS_QCOW2, "{'file':null}", "file", "must be of another kind, not no value");
	assert_refused(UTM_QMP_TYPE_BLOCKDEV_OPTIONS_QCOW2, "{'file':'f','backing':true}", "backing",
	               "must be of another kind, not a boolean");
	assert_refused(UTM_QMP_TYPE_BLOCKDEV_OPTIONS_QCOW2, "{'file':{'driver':'file','filename':5}}", "file.filename",
	               "must be a string, not an integer");

	assert_stays(UTM_QMP_TYPE_STATS, "{'name':'n','value':18446744073709551615}");
	assert_stays(UTM_QMP_TYPE_STATS, "{'name':'n','value':false}");
	assert_stays(UTM_QMP_TYPE_STATS, "{'name':'n','value':[0,18446744073709551615]}");
	assert_stays(UTM_QMP_TYPE_STATS, "{'name':'n','value':[]}");
	assert_refused(UTM_QMP_TYPE_STATS, "{'name':'n','value':[1,-1]}", "value[1]",
	               "must be an integer of 64 bits without sign");
	assert_refused(UTM_QMP_TYPE_STATS, "{'name':'n','value':1.5}", "value",
	               "must be an integer of 64 bits without sign");
}

/* Absent, null and empty are three things. */
static void test_null(void)
{
	UtmQmpMigrateSetParametersArgs *args = utm_qmp_migrate_set_parameters_new();
	assert_text(args, "{}");
	args->tls_creds = utm_qmp_str_or_null_new();
	args->tls_creds->choice = UTM_QMP_STR_OR_NULL_N;
	args->tls_hostname = utm_qmp_str_or_null_new();
	args->tls_hostname->choice = UTM_QMP_STR_OR_NULL_S;
	assert_unwritable(args, "tls-hostname", "is missing");
	utm_set_string(&args->tls_hostname->s, "");
	assert_text(args, "{'tls-creds':null,'tls-hostname':''}");
	utm_struct_free(args);
	assert_stays(UTM_QMP_TYPE_MIGRATE_SET_PARAMETERS, "{'tls-authz':'x','tls-creds':null,'tls-hostname':''}");

	assert_refused(UTM_QMP_TYPE_NAME_INFO, "{'name':null}", "name", "must be a string, not no value");
	assert_refused(UTM_QMP_TYPE_DEVICE_ADD_ARGS, "{'driver':null}", "driver", "must be a string, not no value");
	assert_refused(UTM_QMP_TYPE_SEND_KEY_ARGS, "{'keys':null}", "keys", "must be an array, not no value");
	/* For what may be anything, null is something. */
	assert_stays(UTM_QMP_TYPE_QOM_SET_ARGS, "{'path':'/','property':'p','value':null}");
	UtmQmpQomSetArgs *set = read_value(UTM_QMP_TYPE_QOM_SET_ARGS, "{'path':'/','property':'p','value':null}");
	g_assert_nonnull(set->value);
	g_assert_cmpint(utm_value_get_kind(set->value), ==, UTM_VALUE_NULL);
	utm_value_free(set->value);
	set->value = NULL;
	assert_unwritable(set, "value", "is missing");
	utm_struct_free(set);
	assert_stays(UTM_QMP_TYPE_SCHEMA_INFO_OBJECT_MEMBER, "{'default':null,'name':'n','type':'t'}");
	assert_stays(UTM_QMP_TYPE_SCHEMA_INFO_OBJECT_MEMBER, "{'name':'n','type':'t'}");
}

/* --- what nobody here knows --- */

static void test_unknown_members(void)
{
	static const char json[] =
		"{'A':0,'addr':{'transport':'socket','type':'unix','path':'/','zz':{'deep':[1,2.5,null]}},'b':'c',"
		"'channel-type':'main','\\u00e9':18446744073709551615}";
	UtmQmpMigrationChannel *channel = read_value(UTM_QMP_TYPE_MIGRATION_CHANNEL, json);
	g_assert_cmpuint(utm_value_get_uint(utm_struct_get_extra(channel, "\u00e9")), ==, G_MAXUINT64);
	g_assert_null(utm_struct_get_extra(channel, "channel-type"));
	g_assert_null(utm_struct_get_extra(channel->addr, "zz"));
	g_assert_null(utm_struct_get_extra(channel->addr->u.socket, "zz"));
	const UtmValue *extra = utm_struct_get_extra(channel->addr->u.socket->u.unix_, "zz");
	g_assert_cmpuint(utm_value_get_count(utm_value_get_member(extra, "deep")), ==, 3);
	assert_text(channel, "{'A':0,'addr':{'transport':'socket','type':'unix','path':'/','zz':{'deep':[1,2.5,null]}},"
	                     "'b':'c','channel-type':'main','\u00e9':18446744073709551615}");
	utm_struct_free(channel);

	/* The inner tag is unknown: what the branch would have is the inner union's. */
	UtmQmpMigrationAddress *address =
		read_value(UTM_QMP_TYPE_MIGRATION_ADDRESS, "{'transport':'socket','type':'pigeon','nest':7}");
	g_assert_cmpint(address->u.socket->type, ==, UTM_QMP_SOCKET_ADDRESS_TYPE_UNRECOGNIZED);
	g_assert_cmpstr(utm_value_get_string(utm_struct_get_extra(address->u.socket, "type")), ==, "pigeon");
	g_assert_cmpint(utm_value_get_int(utm_struct_get_extra(address->u.socket, "nest")), ==, 7);
	assert_text(address, "{'transport':'socket','nest':7,'type':'pigeon'}");
	utm_struct_free(address);
	address = read_value(UTM_QMP_TYPE_MIGRATION_ADDRESS, "{'transport':'smoke','type':'pigeon','nest':7}");
	g_assert_cmpint(utm_value_get_int(utm_struct_get_extra(address, "nest")), ==, 7);
	assert_text(address, "{'nest':7,'transport':'smoke','type':'pigeon'}");
	utm_struct_free(address);
}

static void test_unknown_texts(void)
{
	UtmQmpBlockdevOptionsBlkdebug *blkdebug = read_value(
		UTM_QMP_TYPE_BLOCKDEV_OPTIONS_BLKDEBUG,
		"{'image':'i','take-child-perms':['consistent-read','fly','write','swim'],'unshare-child-perms':['resize']}");
	g_assert_cmpuint(blkdebug->take_child_perms_count, ==, 4);
	g_assert_cmpint(blkdebug->take_child_perms[0], ==, UTM_QMP_BLOCK_PERMISSION_CONSISTENT_READ);
	g_assert_cmpint(blkdebug->take_child_perms[1], ==, UTM_QMP_BLOCK_PERMISSION_UNRECOGNIZED);
	const UtmValue *texts = utm_struct_get_extra(blkdebug, "take-child-perms");
	g_assert_cmpuint(utm_value_get_count(texts), ==, 4);
	g_assert_cmpint(utm_value_get_kind(utm_value_get_item(texts, 2)), ==, UTM_VALUE_NULL);
	g_assert_cmpstr(utm_value_get_string(utm_value_get_item(texts, 3)), ==, "swim");
	assert_text(blkdebug, "{'image':'i','take-child-perms':['consistent-read','fly','write','swim'],"
	                      "'unshare-child-perms':['resize']}");
	/* One that is known from now on counts; one without a text is nothing to send. */
	blkdebug->take_child_perms[1] = UTM_QMP_BLOCK_PERMISSION_RESIZE;
	blkdebug->unshare_child_perms[0] = UTM_QMP_BLOCK_PERMISSION_UNRECOGNIZED;
	assert_unwritable(blkdebug, "unshare-child-perms[0]", "is not one of the allowed values");
	blkdebug->unshare_child_perms[0] = 99;
	assert_unwritable(blkdebug, "unshare-child-perms[0]", "is not one of the allowed values");
	blkdebug->unshare_child_perms_count = 0;
	assert_text(blkdebug, "{'image':'i','take-child-perms':['consistent-read','resize','write','swim'],"
	                      "'unshare-child-perms':[]}");
	utm_struct_free(blkdebug);

	/* In an alternate, in a list of structs, and as a whole result. */
	assert_stays(UTM_QMP_TYPE_BLOCKDEV_OPTIONS_QCOW2, "{'file':'f','overlap-check':'everything'}");
	assert_stays(UTM_QMP_TYPE_MIGRATE_SET_CAPABILITIES_ARGS, "{'capabilities':[{'capability':'warp','state':true}]}");
	UtmQmpJobInfo *job = utm_qmp_job_info_new();
	utm_set_string(&job->id, "j");
	job->type = UTM_QMP_JOB_TYPE_UNRECOGNIZED;
	assert_unwritable(job, "type", "is not one of the allowed values");
	utm_struct_free(job);
}

static void test_set_extra(void)
{
	UtmQmpDeviceAddArgs *args = utm_qmp_device_add_args_new(), *empty = utm_qmp_device_add_args_new();
	g_autoptr(UtmError) error = NULL;
	utm_set_string(&args->driver, "d");
	utm_set_string(&empty->driver, "d");
	g_assert_cmpint(utm_struct_set_extra(args, "drive", "'x'", NULL), ==, 0);
	g_assert_cmpint(utm_struct_set_extra(args, "addr", "[ 1, {} ]", NULL), ==, 0);
	g_assert_cmpint(utm_struct_set_extra(args, "drive", "\"y\"", NULL), ==, 0);
	assert_text(args, "{'addr':[1,{}],'drive':'y','driver':'d'}");
	g_assert_cmpint(utm_struct_set_extra(args, "driver", "1", NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_struct_set_extra(args, "", "1", NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_struct_set_extra(args, NULL, "1", NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_struct_set_extra(NULL, "a", "1", NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_struct_set_extra(args, "drive", "{", &error), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_nonnull(error);
	g_assert_cmpint(utm_struct_set_extra(args, "a\xff", "1", NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	assert_text(args, "{'addr':[1,{}],'drive':'y','driver':'d'}");
	g_assert_false(utm_qmp_device_add_args_equal(args, empty));
	UtmQmpDeviceAddArgs *copy = utm_qmp_device_add_args_copy(args);
	g_assert_true(utm_qmp_device_add_args_equal(args, copy));
	g_assert_cmpint(utm_struct_set_extra(args, "addr", NULL, NULL), ==, 0);
	g_assert_cmpint(utm_struct_set_extra(args, "drive", NULL, NULL), ==, 0);
	g_assert_cmpint(utm_struct_set_extra(args, "never", NULL, NULL), ==, 0);
	g_assert_true(utm_qmp_device_add_args_equal(args, empty));
	g_assert_null(utm_struct_get_extra(args, "drive"));
	g_assert_null(utm_struct_get_extra(args, NULL));
	g_assert_null(utm_struct_get_extra(NULL, "drive"));
	assert_text(copy, "{'addr':[1,{}],'drive':'y','driver':'d'}");
	utm_struct_free(args);
	utm_struct_free(empty);
	utm_struct_free(copy);
}

/* --- required, optional, twice --- */

static void test_missing(void)
{
	assert_refused(UTM_QMP_TYPE_NAME_INFO, "[]", NULL, "must be a dictionary, not an array");
	assert_stays(UTM_QMP_TYPE_NAME_INFO, "{}");
	assert_refused(UTM_QMP_TYPE_SEND_KEY_ARGS, "{'keys':[{'type':'qcode'}]}", "keys[0].data", "is missing");
	assert_refused(UTM_QMP_TYPE_SEND_KEY_ARGS, "{'keys':[{'data':'a'}]}", "keys[0].type", "is missing");
	assert_refused(UTM_QMP_TYPE_SEND_KEY_ARGS, "{'keys':[{'type':'qcode','data':'a'},5]}", "keys[1]",
	               "must be a dictionary, not an integer");
	assert_refused(UTM_QMP_TYPE_BLOCK_STATS | UTM_STRUCT_LIST, "[{'stats':{}}]", "[0].stats.rd_bytes", "is missing");
	assert_refused(UTM_QMP_TYPE_BLOCK_STATS | UTM_STRUCT_LIST, "{}", NULL, "must be an array, not a dictionary");
	UtmQmpSendKeyArgs *args = utm_qmp_send_key_args_new();
	assert_text(args, "{'keys':[]}");
	utm_append_struct(&args->keys, &args->keys_count, utm_qmp_key_value_new());
	assert_unwritable(args, "keys[0]", "lacks the branch that its tag chooses");
	args->keys[0]->u.number = utm_qmp_int_wrapper_new();
	assert_text(args, "{'keys':[{'type':'number','data':0}]}");
	utm_append_struct(&args->keys, &args->keys_count, NULL);
	assert_unwritable(args, "keys[1]", "is missing");
	utm_struct_free(args);
}

static void test_twice(void)
{
	assert_refused(UTM_QMP_TYPE_NAME_INFO, "{'name':'a','name':'a'}", "name", "stands twice");
	assert_refused(UTM_QMP_TYPE_SOCKET_ADDRESS, "{'type':'unix','path':'a','path':'b'}", "path", "stands twice");
	assert_refused(UTM_QMP_TYPE_SOCKET_ADDRESS, "{'type':'unix','path':'a','type':'unix'}", "type", "stands twice");
	assert_refused(UTM_QMP_TYPE_IMAGE_INFO_SPECIFIC_VMDK,
	               "{'create-type':'t','cid':1,'parent-cid':2,'extents':[],'extents':[]}", "extents", "stands twice");
	/* Of what nobody knows, nobody knows what it would mean: the last one stays. */
	assert_becomes(UTM_QMP_TYPE_NAME_INFO, "{'x':1,'x':2,'a':{'y':1,'y':2}}", "{'a':{'y':2},'x':2}");
}

/* --- text and numbers --- */

static void test_text(void)
{
	assert_refused(UTM_QMP_TYPE_NAME_INFO, "{'name':'a\\u0000b'}", "name", "a string with U+0000");
	assert_refused(UTM_QMP_TYPE_NAME_INFO, "{'new':['\\u0000']}", "new", "a string with U+0000");
	assert_refused(UTM_QMP_TYPE_NAME_INFO, "{'a\\u0000':1}", NULL, "a string with U+0000");
	assert_refused(UTM_QMP_TYPE_NAME_INFO, "{'name':'\\ud800'}", "name", "JSON, byte 15: a bad escape in a string");
	assert_refused(UTM_QMP_TYPE_NAME_INFO, "{'name':'\\udc00x'}", "name", "JSON, byte 15: a bad escape in a string");
	assert_refused(UTM_QMP_TYPE_NAME_INFO, "{'name':'\xed\xa0\x80'}", "name", "JSON, byte 12: invalid UTF-8");
	assert_refused(UTM_QMP_TYPE_NAME_INFO, "{'name':'\xff'}", "name", "JSON, byte 10: invalid UTF-8");
	assert_refused(UTM_QMP_TYPE_NAME_INFO, "{'name':'a'}{}", NULL, "JSON, byte 12: something follows the value");
	assert_refused(UTM_QMP_TYPE_NAME_INFO, "", NULL, "JSON, byte 0: the text ends early");
	assert_becomes(UTM_QMP_TYPE_NAME_INFO, "{'name':'\\ud83d\\udda5\\u000a'}", "{'name':'\U0001F5A5\\n'}");
	UtmQmpNameInfo *info = utm_qmp_name_info_new();
	utm_set_string(&info->name, "\xff");
	assert_unwritable(info, "name", "is not valid UTF-8");
	utm_set_string(&info->name, NULL);
	assert_text(info, "{}");
	utm_struct_free(info);
}

/* Where the path to it is a long one, or the key itself is. */
static void test_long_keys(void)
{
	g_autofree char *key = g_strnfill(100, 'k');
	g_autofree char *json = g_strdup_printf("{'%s':18446744073709551616}", key);
	assert_refused(UTM_QMP_TYPE_NAME_INFO, json, key, "a number beyond 64 bits");
	g_autofree char *good = g_strdup_printf("{'%s':18446744073709551615}", key);
	assert_stays(UTM_QMP_TYPE_NAME_INFO, good);
}

static void test_numbers(void)
{
	assert_stays(UTM_QMP_TYPE_BALLOON_ARGS, "{'value':-9223372036854775808}");
	assert_stays(UTM_QMP_TYPE_BALLOON_ARGS, "{'value':9223372036854775807}");
	assert_refused(UTM_QMP_TYPE_BALLOON_ARGS, "{'value':9223372036854775808}", "value", "must be an integer of 64 bits");
	assert_refused(UTM_QMP_TYPE_BALLOON_ARGS, "{'value':1.5}", "value", "must be an integer of 64 bits");
	assert_refused(UTM_QMP_TYPE_BALLOON_ARGS, "{'value':18446744073709551616}", "value", "a number beyond 64 bits");
	assert_refused(UTM_QMP_TYPE_BALLOON_ARGS, "{'value':'1'}", "value", "must be an integer, not a string");
	assert_refused(UTM_QMP_TYPE_MEMDEV,
	               "{'size':-1,'merge':true,'dump':true,'prealloc':true,'share':true,'host-nodes':[],'policy':'bind'}",
	               "size", "must be an integer of 64 bits without sign");
	assert_refused(UTM_QMP_TYPE_MEMDEV,
	               "{'size':0,'merge':true,'dump':true,'prealloc':true,'share':true,'host-nodes':[65535,65536],"
	               "'policy':'bind'}", "host-nodes[1]", "must be an integer of 16 bits without sign");
	/* A number may come without a fraction. */
	UtmQmpXBZRLECacheStats *stats = read_value(
		UTM_QMP_TYPE_XBZRLE_CACHE_STATS, "{'cache-size':1,'bytes':2,'pages':3,'cache-miss':4,'cache-miss-rate':5,"
		                                 "'encoding-rate':0.5,'overflow':6}");
	g_assert_true(stats->cache_miss_rate == 5.0 && stats->encoding_rate == 0.5);
	stats->encoding_rate = NAN;
	assert_unwritable(stats, "encoding-rate", "is nothing that JSON can say");
	stats->encoding_rate = -INFINITY;
	assert_unwritable(stats, "encoding-rate", "is nothing that JSON can say");
	stats->encoding_rate = 1e300;
	assert_text(stats, "{'bytes':2,'cache-miss':4,'cache-miss-rate':5.0,'cache-size':1,'encoding-rate':1e+300,"
	                   "'overflow':6,'pages':3}");
	utm_struct_free(stats);
	assert_refused(UTM_QMP_TYPE_XBZRLE_CACHE_STATS, "{'cache-miss-rate':1e999}", "cache-miss-rate",
	               "a number beyond 64 bits");
	assert_refused(UTM_QMP_TYPE_XBZRLE_CACHE_STATS, "{'cache-miss-rate':NaN}", "cache-miss-rate",
	               "JSON, byte 19: not a value");
}

/* --- what not every QEMU knows: it is to be held against the one that is connected --- */

static const struct {
	uint32_t type;
	const char *json;
	bool varies;
} texts[] = {
	{ UTM_QMP_TYPE_DEVICE_ADD_ARGS, "{'driver':'d','id':'i'}", false },
	{ UTM_QMP_TYPE_DEVICE_ADD_ARGS, "{'driver':'d','extra':1}", true },
	{ UTM_QMP_TYPE_INET_SOCKET_ADDRESS, "{'host':'h','port':'1','ipv4':true}", false },
	{ UTM_QMP_TYPE_INET_SOCKET_ADDRESS, "{'host':'h','port':'1','mptcp':true}", true },
	{ UTM_QMP_TYPE_BLOCKDEV_OPTIONS_QCOW2, "{'file':'f'}", false },
	{ UTM_QMP_TYPE_BLOCKDEV_OPTIONS_QCOW2, "{'file':'f','discard-no-unref':true}", true },
	{ UTM_QMP_TYPE_BLOCKDEV_OPTIONS_QCOW2, "{'file':{'driver':'file','filename':'f','new':0}}", true },
	{ UTM_QMP_TYPE_CHARDEV_BACKEND, "{'type':'null','data':{}}", false },
	{ UTM_QMP_TYPE_CHARDEV_BACKEND, "{'type':'braille','data':{}}", true },
	{ UTM_QMP_TYPE_CHARDEV_BACKEND, "{'type':'novel'}", true },
	{ UTM_QMP_TYPE_MIGRATE_SET_CAPABILITIES_ARGS, "{'capabilities':[{'capability':'events','state':true}]}", false },
	{ UTM_QMP_TYPE_MIGRATE_SET_CAPABILITIES_ARGS, "{'capabilities':[{'capability':'mapped-ram','state':true}]}", true },
};

static void test_varies(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		void *value = read_value(texts[i].type, texts[i].json);
		g_autoptr(GString) text = g_string_new(NULL);
		bool varies;
		g_assert_cmpint(utm__protocol_encode(&utm__qmp_schema, value, text, &varies, NULL), ==, 0);
		if (varies != texts[i].varies)
			g_error("%s: %s", texts[i].json, varies ? "varies" : "does not vary");
		utm_struct_free(value);
	}
}

/* --- what the library did not make --- */

static void test_foreign(void)
{
	UtmQmpNameInfo *info = utm_qmp_name_info_new();
	utm_set_string(&info->name, "n");
	UtmQmpNameInfo by_value = *info, zero = { .name = NULL };
	UtmQmpNameInfo *const foreign[] = { &by_value, &zero, NULL };
	for (gsize i = 0; i < G_N_ELEMENTS(foreign); i++) {
		assert_unwritable(foreign[i], NULL,
		                  "the value was not made by the library: it is NULL, a copy by value, or freed");
		g_assert_null(utm_struct_copy(foreign[i]));
		g_assert_null(utm_struct_get_type_name(foreign[i]));
		g_assert_false(utm_struct_equal(info, foreign[i]));
		g_assert_false(utm_struct_equal(foreign[i], info));
		g_assert_cmpint(utm_struct_set_extra(foreign[i], "a", "1", NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
		g_assert_null(utm_struct_get_extra(foreign[i], "a"));
		utm_struct_free(foreign[i]);
	}
	g_assert_cmpstr(by_value.name, ==, "n");
	g_assert_true(utm_struct_equal(NULL, NULL));
	utm_struct_free(info);
}

/* Inside a struct that the library did make. */
static void test_foreign_inside(void)
{
	UtmQmpInetSocketAddress by_value = { .has_to = true };
	UtmQmpSocketAddress *address = utm_qmp_socket_address_new();
	address->u.inet = &by_value;
	assert_unwritable(address, NULL, "was not made by the library: it is a copy by value, or freed");
	UtmQmpSocketAddress *copy = utm_qmp_socket_address_copy(address);
	g_assert_null(copy->u.inet);
	g_assert_false(utm_qmp_socket_address_equal(address, copy));
	utm_struct_free(address);
	utm_struct_free(copy);

	UtmQmpBlockStats *stats = utm_qmp_block_stats_new();
	UtmQmpBlockDeviceStats device = { .has_idle_time_ns = true };
	stats->stats = &device;
	assert_unwritable(stats, "stats", "was not made by the library: it is a copy by value, or freed");
	stats->stats = (void *)utm_qmp_name_info_new();
	assert_unwritable(stats, "stats", "is a struct of another type");
	utm_struct_free(stats->stats);
	stats->stats = NULL;
	assert_unwritable(stats, "stats", "is missing");
	utm_struct_free(stats);
	g_assert_true(device.has_idle_time_ns);

	UtmQmpSendKeyArgs *args = utm_qmp_send_key_args_new(), *other;
	args->keys_count = 7;
	assert_unwritable(args, "keys", "has a count, and no elements");
	other = utm_qmp_send_key_args_copy(args);
	g_assert_cmpuint(other->keys_count, ==, 0);
	utm_struct_free(args);
	utm_struct_free(other);
}

/* --- depth --- */

/* Each level is a struct in a struct. */
static char *nested_stats(int depth)
{
	static const char stats[] = "'stats':{'rd_bytes':0,'wr_bytes':0,'unmap_bytes':0,'rd_operations':0,'wr_operations':0,"
		"'flush_operations':0,'unmap_operations':0,'rd_total_time_ns':0,'wr_total_time_ns':0,'flush_total_time_ns':0,"
		"'unmap_total_time_ns':0,'wr_highest_offset':0,'rd_merged':0,'wr_merged':0,'unmap_merged':0,"
		"'account_invalid':false,'account_failed':false,'timed_stats':[],'failed_rd_operations':0,"
		"'failed_wr_operations':0,'failed_flush_operations':0,'failed_unmap_operations':0,'invalid_rd_operations':0,"
		"'invalid_wr_operations':0,'invalid_flush_operations':0,'invalid_unmap_operations':0}";
	GString *json = g_string_new(NULL);
	for (int i = 1; i < depth; i++)
		g_string_append_printf(json, "{%s,'backing':", stats);
	g_string_append_printf(json, "{%s}", stats);
	for (int i = 1; i < depth; i++)
		g_string_append_c(json, '}');
	return g_string_free(json, FALSE);
}

static void test_depth_of_structs(void)
{
	g_autofree char *deep = nested_stats(255);
	g_autofree char *too_deep = nested_stats(257);
	g_autofree char *text = quoted(too_deep);
	UtmQmpBlockStats *stats = read_value(UTM_QMP_TYPE_BLOCK_STATS, deep), *again = NULL;
	char *written = NULL;
	g_autoptr(UtmError) error = NULL;
	g_assert_cmpint(utm_struct_to_json(stats, &written, NULL), ==, 0);
	g_assert_cmpint(utm_struct_from_json(UTM_QMP_TYPE_BLOCK_STATS, written, &again, NULL), ==, 0);
	g_assert_true(utm_qmp_block_stats_equal(stats, again));
	utm_free(written);
	/* Two more, and neither direction goes there. */
	for (int i = 0; i < 2; i++) {
		UtmQmpBlockStats *outer = utm_qmp_block_stats_new();
		outer->stats = utm_qmp_block_device_stats_copy(stats->stats);
		outer->backing = stats;
		stats = outer;
	}
	g_assert_cmpint(utm_struct_to_json(stats, &written, &error), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpstr(utm_error_get_message(error), ==, "is nested too deeply");
	utm_struct_free(stats);
	utm_struct_free(again);
	g_autoptr(UtmError) second = NULL;
	g_assert_cmpint(utm_struct_from_json(UTM_QMP_TYPE_BLOCK_STATS, text, &again, &second), ==, UTM_ERROR_QMP_MALFORMED);
	g_assert_cmpstr(utm_error_get_message(second), ==, "is nested too deeply");
	g_assert_true(g_str_has_prefix(utm_error_get_key_path(second), "backing.backing."));
}

static char *brackets(int count, const char *before, const char *after)
{
	g_autofree char *open = g_strnfill((gsize)count, '[');
	g_autofree char *close = g_strnfill((gsize)count, ']');
	return g_strconcat(before, open, close, after, NULL);
}

static void test_depth_of_anything(void)
{
	static const char *const places[] = { "{\"path\":\"/\",\"property\":\"p\",\"value\":", ("{\"path\":\"/\",\"property\":\"p\","
	                                       "\"value\":0,\"extra\":"), "{\"path\":" };
	g_autofree char *deep = brackets(1023, places[0], "}");
	UtmQmpQomSetArgs *args = NULL;
	g_assert_cmpint(utm_struct_from_json(UTM_QMP_TYPE_QOM_SET_ARGS, deep, &args, NULL), ==, 0);
	UtmQmpQomSetArgs *copy = utm_qmp_qom_set_args_copy(args);
	g_assert_true(utm_qmp_qom_set_args_equal(args, copy));
	utm_struct_free(args);
	utm_struct_free(copy);
	for (gsize i = 0; i < G_N_ELEMENTS(places); i++)
		for (int depth = 1024; depth <= 100000; depth += 98976) {
			g_autofree char *json = brackets(depth, places[i], "}");
			g_autofree char *open = g_strndup(json, strlen(json) / 2);
			args = NULL;
			g_assert_cmpint(utm_struct_from_json(UTM_QMP_TYPE_QOM_SET_ARGS, json, &args, NULL), ==,
			                UTM_ERROR_QMP_MALFORMED);
			g_assert_cmpint(utm_struct_from_json(UTM_QMP_TYPE_QOM_SET_ARGS, open, &args, NULL), ==,
			                UTM_ERROR_QMP_MALFORMED);
			g_assert_null(args);
		}
	/* In a union, whose passes look at brackets only. */
	g_autofree char *unknown = brackets(100000, "{\"type\":\"unix\",\"path\":\"/\",\"x\":", "}");
	g_autofree char *half = g_strndup(unknown, 100000);
	g_assert_cmpint(utm_struct_from_json(UTM_QMP_TYPE_SOCKET_ADDRESS, unknown, &args, NULL), ==, UTM_ERROR_QMP_MALFORMED);
	g_assert_cmpint(utm_struct_from_json(UTM_QMP_TYPE_SOCKET_ADDRESS, half, &args, NULL), ==, UTM_ERROR_QMP_MALFORMED);
	g_assert_null(args);
}

/* Brackets that do not match, where a pass looks at nothing else. */
static void test_brackets(void)
{
	static const char *const tails[] = { "[}", "{]", "[{]}", "]", "}", "['x]}", "[1 2]", "{'a'}", "[tru]", "['\\x']", "'\\" };
	for (gsize i = 0; i < G_N_ELEMENTS(tails); i++)
		for (int where = 0; where < 3; where++) {
			static const char *const unions[] = { "{'type':'unix','path':'/','x':%s}", "{'x':%s,'type':'fd','str':'1'}",
				                              "{'type':'new','x':%s}" };
			g_auto(GStrv) parts = g_strsplit(unions[where], "%s", 2);
			g_autofree char *json = g_strjoinv(tails[i], parts);
			g_autofree char *text = quoted(json);
			void *value = NULL;
			g_autoptr(UtmError) error = NULL;
			g_assert_cmpint(utm_struct_from_json(UTM_QMP_TYPE_SOCKET_ADDRESS, text, &value, &error), ==,
			                UTM_ERROR_QMP_MALFORMED);
			g_assert_null(value);
		}
}

/* Few keys wait for the tag in a place of their own, many or long ones are read from the text once more: all the same. */
static void test_keys_before_the_tag(void)
{
	for (int unknown = 0; unknown < 40; unknown++) {
		g_autoptr(GString) keys = g_string_new("'filename': 'f', 'aio': 'native'");
		for (int i = 0; i < unknown; i++)
			g_string_append_printf(keys, ", 'x%0*d': [%d, {'y': 'z'}]", i == 30 ? 40 : 2, i, i);
		g_autofree char *last = g_strdup_printf("{%s, 'driver': 'file', 'node-name': 'n'}", keys->str);
		g_autofree char *first = g_strdup_printf("{'node-name': 'n', 'driver': 'file', %s}", keys->str);
		UtmQmpBlockdevOptions *a = read_value(UTM_QMP_TYPE_BLOCKDEV_OPTIONS, last);
		UtmQmpBlockdevOptions *b = read_value(UTM_QMP_TYPE_BLOCKDEV_OPTIONS, first);
		g_assert_true(utm_struct_equal(a, b));
		g_assert_cmpstr(a->node_name, ==, "n");
		g_assert_cmpstr(a->u.file->filename, ==, "f");
		g_assert_cmpint(a->u.file->aio, ==, UTM_QMP_BLOCKDEV_AIO_OPTIONS_NATIVE);
		char *json = NULL;
		g_assert_cmpint(utm_struct_to_json(a, &json, NULL), ==, 0);
		g_assert_cmpint(strstr(json, "[7,{\"y\":\"z\"}]") != NULL, ==, unknown > 7);
		utm_free(json);
		utm_struct_free(a);
		utm_struct_free(b);
	}
}

/* What a byte of text becomes may be hundreds: the number of values is bounded, and not reached by reading twice. */
static void test_count(void)
{
	static const struct {
		uint32_t type;
		const char *json;
		gsize others;
	} places[] = { { UTM_QMP_TYPE_NAME_INFO, "{'new':[%s]}", 2 },
		       { UTM_QMP_TYPE_DISPLAY_RELOAD_OPTIONS, "{'new':[%s],'type':'vnc'}", 3 } };
	for (int i = 1; i < 4; i++) {
		bool too_many = i % 2;
		gsize count = ((gsize)2 << 20) - places[i / 2].others + too_many;
		GString *elements = g_string_sized_new(2 * count);
		for (gsize j = 0; j < count; j++)
			g_string_append(elements, j ? ",0" : "0");
		g_auto(GStrv) parts = g_strsplit(places[i / 2].json, "%s", 2);
		g_autofree char *json = g_strjoinv(elements->str, parts);
		g_string_free(elements, TRUE);
		g_strdelimit(json, "'", '"');
		g_autoptr(UtmError) error = NULL;
		void *value = NULL;
		int result = utm_struct_from_json(places[i / 2].type, json, &value, &error);
		g_assert_cmpint(result, ==, too_many ? UTM_ERROR_QMP_MALFORMED : 0);
		g_assert_true(!too_many || strstr(utm_error_get_message(error), "too many values"));
		utm_struct_free(value);
	}
}

/* --- lists --- */

static void test_lists(void)
{
	UtmQmpBlockJobInfoList *list = read_value(UTM_QMP_TYPE_BLOCK_JOB_INFO | UTM_STRUCT_LIST, "[]");
	g_assert_cmpuint(list->count, ==, 0);
	g_assert_cmpstr(utm_struct_get_type_name(list), ==, "BlockJobInfoList");
	assert_text(list, "[]");
	UtmQmpBlockJobInfoList *copy = utm_qmp_block_job_info_list_copy(list);
	g_assert_true(utm_qmp_block_job_info_list_equal(list, copy));
	utm_struct_free(list);
	utm_struct_free(copy);

	UtmQmpMemdev *memdev = utm_qmp_memdev_new();
	for (uint16_t node = 0; node < 1000; node++)
		utm_append_scalar(&memdev->host_nodes, &memdev->host_nodes_count, &node, sizeof node);
	g_assert_cmpuint(memdev->host_nodes_count, ==, 1000);
	g_assert_cmpuint(memdev->host_nodes[999], ==, 999);
	utm_struct_free(memdev);
	/* An empty list that may be absent is there when its pointer is. */
	UtmQmpSchemaInfoObjectMember *member =
		read_value(UTM_QMP_TYPE_SCHEMA_INFO_OBJECT_MEMBER, "{'name':'n','type':'t','features':[]}");
	g_assert_true(member->features && member->features_count == 0);
	assert_text(member, "{'features':[],'name':'n','type':'t'}");
	utm_append_string(&member->features, &member->features_count, "f");
	assert_text(member, "{'features':['f'],'name':'n','type':'t'}");
	utm_append_string(&member->features, &member->features_count, NULL);
	assert_unwritable(member, "features[1]", "is missing");
	utm_struct_free(member);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/protocol/cases/union", test_union);
	g_test_add_func("/protocol/cases/tag-anywhere", test_tag_anywhere);
	g_test_add_func("/protocol/cases/no-branch", test_no_branch);
	g_test_add_func("/protocol/cases/late-branch", test_late_branch);
	g_test_add_func("/protocol/cases/left-for-branch", test_left_for_branch);
	g_test_add_func("/protocol/cases/forms-of-member", test_forms_of_member);
	g_test_add_func("/protocol/cases/forms-of-list", test_forms_of_list);
	g_test_add_func("/protocol/cases/forms-of-branch", test_forms_of_branch);
	g_test_add_func("/protocol/cases/alternates", test_alternates);
	g_test_add_func("/protocol/cases/null", test_null);
	g_test_add_func("/protocol/cases/unknown-members", test_unknown_members);
	g_test_add_func("/protocol/cases/unknown-texts", test_unknown_texts);
	g_test_add_func("/protocol/cases/set-extra", test_set_extra);
	g_test_add_func("/protocol/cases/missing", test_missing);
	g_test_add_func("/protocol/cases/twice", test_twice);
	g_test_add_func("/protocol/cases/text", test_text);
	g_test_add_func("/protocol/cases/long-keys", test_long_keys);
	g_test_add_func("/protocol/cases/numbers", test_numbers);
	g_test_add_func("/protocol/cases/varies", test_varies);
	g_test_add_func("/protocol/cases/foreign", test_foreign);
	g_test_add_func("/protocol/cases/foreign-inside", test_foreign_inside);
	g_test_add_func("/protocol/cases/depth-of-structs", test_depth_of_structs);
	g_test_add_func("/protocol/cases/depth-of-anything", test_depth_of_anything);
	g_test_add_func("/protocol/cases/brackets", test_brackets);
	g_test_add_func("/protocol/cases/keys-before-the-tag", test_keys_before_the_tag);
	g_test_add_func("/protocol/cases/count", test_count);
	g_test_add_func("/protocol/cases/lists", test_lists);
	return g_test_run();
}
