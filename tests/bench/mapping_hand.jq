# What a person would write who has jq alone: the default mapping of a Claude Code row, by hand.
(.actor.api_key_name // .actor.email // "unknown") as $who
| {
    identifier: (.organization_id + "-" + $who + "-" + .date[:10]),
    title: ($who + " - " + .date[:10]),
    blueprint: "claude_code_analytics",
    properties: {
      record_date: .date,
      organization_id: .organization_id,
      actor_type: .actor.type,
      actor_name: $who,
      terminal_type: .terminal_type,
      num_sessions: (.core_metrics.num_sessions // 0),
      lines_added: (.core_metrics.lines_of_code.added // 0),
      lines_removed: (.core_metrics.lines_of_code.removed // 0),
      commits: (.core_metrics.commits_by_claude_code // 0),
      pull_requests: (.core_metrics.pull_requests_by_claude_code // 0),
      edit_tool_accepted: (.tool_actions.edit_tool.accepted // 0),
      edit_tool_rejected: (.tool_actions.edit_tool.rejected // 0),
      write_tool_accepted: (.tool_actions.write_tool.accepted // 0),
      write_tool_rejected: (.tool_actions.write_tool.rejected // 0),
      model_breakdown: .model_breakdown
    }
  }
