"""Which part is it? Its serial number – read from a code, named by the MES or counted – and that no two share one."""
