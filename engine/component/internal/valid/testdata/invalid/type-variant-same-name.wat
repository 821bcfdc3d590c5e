;; variant: the name "x" is there twice
(component (type (variant (case "X") (case "x"))))
