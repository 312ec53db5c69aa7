use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::api::Api;
use crate::rows::{agent, id, insert};

/// Agents that no filter of the test finds: enough that reading all of them costs more than an index.
const OTHERS: i32 = 3_000;

impl Api {
    /// How often the server has looked into an index.
    async fn scans(&self, index: &str) -> i64 {
        let sql = "SELECT idx_scan FROM pg_stat_user_indexes WHERE schemaname = 'g1' AND indexrelname = $1";
        sqlx::query_scalar(sql).bind(index).fetch_one(&self.writer).await.unwrap()
    }

    async fn many_agents(&self) {
        let sql = "INSERT INTO g1.agent_list SELECT r.* FROM generate_series(1, $2) n, LATERAL \
                   jsonb_populate_record(null::g1.agent_list, $1 || jsonb_build_object('id', md5(n::text)::uuid)) r";
        sqlx::query(AssertSqlSafe(sql))
            .bind(agent("acme", 1, json!({})))
            .bind(OTHERS)
            .execute(&self.writer)
            .await
            .unwrap();
    }

    /// Gives the planner its figures, which only the tables' owner may do.
    async fn analyse(&self) {
        let mut owner = self.writer.acquire().await.unwrap().detach();
        sqlx::raw_sql("SET ROLE gesta_owner; ANALYZE g1.agent_list").execute(&mut owner).await.unwrap();
    }
}

/// AGENT-3, AGENT-10: each filter on agents finds its few among many through the index made for it.
#[tokio::test]
async fn a_filter_of_agents_uses_its_index() {
    let api = Api::start().await;
    api.many_agents().await;
    let rare = json!({"team_id": id(90), "model": "rare", "lifecycle_state": "failed", "status": "failed", "kind": "research"});
    insert(&api.writer, "agent_list", agent("acme", 7, rare)).await;
    api.analyse().await;
    for (filter, index) in [
        (format!("{{teamId: \"{}\"}}", id(90)), "agent_list_team"),
        ("{status: FAILED}".into(), "agent_list_status"),
        ("{state: FAILED}".into(), "agent_list_lifecycle"),
        ("{model: \"rare\"}".into(), "agent_list_model"),
        ("{kind: RESEARCH, availability: IDLE}".into(), "agent_list_kind"),
    ] {
        let before = api.scans(index).await;
        let query = format!("{{ agents(filter: {filter}) {{ totalCount nodes {{ id }} }} }}");
        let page = api.data("acme", &query, json!({})).await;
        assert_eq!(page["agents"], json!({"totalCount": 1, "nodes": [{"id": id(7)}]}), "{filter}");
        // A connection hands its counts over when it ends.
        api.end_readers().await;
        assert!(api.scans(index).await >= before + 2, "{filter}: page and count read past {index}");
    }
}
