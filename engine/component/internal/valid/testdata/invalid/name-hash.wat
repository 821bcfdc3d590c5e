;; "integrity=<md5-abc>" is no name
(component (import "integrity=<md5-abc>" (component)))
